"""What people send to prove who they are, and what they get to do so."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.proving.passkeys import Answer
from core.passwords import TypedPassword
from core.text import SafeStr
from core.values import Value

Secret = Annotated[SafeStr, StringConstraints(min_length=1, max_length=200)]


class ByPassword(Value):
    """The password; not enough where the person has an authenticator app or a passkey."""

    method: Literal["password"]
    password: TypedPassword


class ByCode(Value):
    """A code of the authenticator app, or a recovery code."""

    method: Literal["totp"]
    code: Annotated[SafeStr, StringConstraints(max_length=40)] = Field(examples=["492039"])


class ByPasskey(Value):
    """A passkey's answer to the options that `ceremony_id` names."""

    method: Literal["passkey"]
    ceremony_id: Secret
    credential: Answer


class ByProvider(Value):
    """The ticket that a provider's sign-in page led back with, for a trip begun to prove oneself."""

    method: Literal["oidc"]
    ticket: Secret


class PasskeyOptions(Value):
    """What `navigator.credentials` takes as `publicKey`, as JSON; the answer quotes `ceremony_id`, once."""

    ceremony_id: str
    options: dict[str, Any]
