"""WebAuthn ceremonies: options for a browser, and the check of what its authenticator answered."""

import json
from typing import Any

from pydantic import JsonValue
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from api.proving.place import Place
from core.errors import ProofFailed
from core.store.passkeys import NewPasskey
from core.tables.identity import Ceremony, Passkey
from core.views import PersonView

Answer = dict[str, JsonValue]
"""What `navigator.credentials` gave, as JSON."""
_TIMEOUT = 300_000  # milliseconds, as long as the ceremony lives
_TRANSPORTS = frozenset({"usb", "nfc", "ble", "internal", "hybrid", "smart-card"})
_FAILED = "The passkey's answer does not hold: try again."


def creation(place: Place, person: PersonView, known: list[Passkey]) -> tuple[str, dict[str, Any]]:
    """Give the challenge and the options of a registration; the person is verified by the authenticator."""
    options = generate_registration_options(
        rp_id=place.rp_id,
        rp_name="Assent",
        user_id=person.id.encode(),
        user_name=person.email,
        user_display_name=person.name,
        timeout=_TIMEOUT,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[_descriptor(passkey) for passkey in known],
    )
    return bytes_to_base64url(options.challenge), json.loads(options_to_json(options))


def request(place: Place, known: list[Passkey]) -> tuple[str, dict[str, Any]]:
    """Give the challenge and the options of a proof; with no known passkeys the authenticator finds one itself."""
    options = generate_authentication_options(
        rp_id=place.rp_id,
        timeout=_TIMEOUT,
        allow_credentials=[_descriptor(passkey) for passkey in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return bytes_to_base64url(options.challenge), json.loads(options_to_json(options))


def created(ceremony: Ceremony, answer: Answer) -> NewPasskey:
    """Check the answer to a registration. Raises ProofFailed."""
    try:
        verified = verify_registration_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(ceremony.body["challenge"]),
            expected_rp_id=ceremony.body["rp_id"],
            expected_origin=ceremony.body["origin"],
            require_user_verification=True,
        )
    except Exception as error:  # the library raises many kinds for malformed answers, and each is a refusal
        raise ProofFailed(_FAILED) from error
    return NewPasskey(
        credential_id=bytes_to_base64url(verified.credential_id),
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        transports=_transports(answer),
    )


def proved(ceremony: Ceremony, passkey: Passkey, answer: Answer) -> int:
    """Check the answer to a proof; gives the authenticator's count. Raises ProofFailed."""
    try:
        verified = verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(ceremony.body["challenge"]),
            expected_rp_id=ceremony.body["rp_id"],
            expected_origin=ceremony.body["origin"],
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except Exception as error:
        raise ProofFailed(_FAILED) from error
    if bytes_to_base64url(verified.credential_id) != passkey.credential_id or not _is_of(passkey, answer):
        raise ProofFailed(_FAILED)
    return verified.new_sign_count


def credential_id_of(answer: Answer) -> str:
    """Give the id that an answer claims to be of."""
    found = answer.get("id")
    return found if isinstance(found, str) else ""


def _is_of(passkey: Passkey, answer: Answer) -> bool:
    """Whether the user that the authenticator names, if it does, is the passkey's."""
    response = answer.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    return handle is None or handle == bytes_to_base64url(passkey.user_id.encode())


def _descriptor(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.credential_id))


def _transports(answer: Answer) -> tuple[str, ...]:
    response = answer.get("response")
    named = response.get("transports") if isinstance(response, dict) else None
    return (
        tuple(sorted(_TRANSPORTS & {one for one in named if isinstance(one, str)})) if isinstance(named, list) else ()
    )
