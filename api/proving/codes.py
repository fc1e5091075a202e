"""Codes of authenticator apps (RFC 6238) and recovery codes: each good once, guesses few."""

import base64
import hmac
import re
import secrets

import pyotp
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.sealing import Sealer
from core.store import link_failures, totps
from core.tables.identity import Totp
from core.values import Value

ISSUER = "Assent"
_STEP = 30  # seconds
_DRIFT = (-1, 0, 1)  # steps that a clock may be wrong by
_TOTP = re.compile(r"[0-9]{6}")
_RECOVERY = re.compile(r"[A-Z2-7]{16}")
_RECOVERY_CODES = 10
_RECOVERY_BYTES = 10


class Enrolment(Value):
    """What an authenticator app needs; shown now and never again."""

    secret: str
    uri: str


def new_enrolment(email: str) -> Enrolment:
    """Make a secret, and its address as apps read it."""
    secret = pyotp.random_base32()
    return Enrolment(secret=secret, uri=pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER))


def new_recovery_codes() -> list[str]:
    """Make codes of 80 random bits each, in groups of four."""
    texts = [base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode() for _ in range(_RECOVERY_CODES)]
    return ["-".join(text[place : place + 4] for place in range(0, len(text), 4)) for text in texts]


async def confirm(session: AsyncSession, sealer: Sealer, user_id: str, code: str) -> list[str] | None:
    """Take the first code of a new app; gives the recovery codes, or None for a wrong code.

    Commit whatever the answer is. Raises core.errors.TooMany after too many wrong codes.
    """
    failures = await link_failures.check(session, _counted(user_id))
    found = await totps.secret_of(session, sealer, user_id, confirmed=False)
    if found is None or not _matches(*found, code):
        link_failures.count(failures)
        return None
    found[0].confirmed_at = now()
    return await renew_recovery_codes(session, user_id)


async def renew_recovery_codes(session: AsyncSession, user_id: str) -> list[str]:
    """Replace all recovery codes; gives the new ones, now and never again."""
    codes = new_recovery_codes()
    await totps.replace_recovery_codes(session, user_id, [_letters(code) for code in codes])
    return codes


async def check(session: AsyncSession, sealer: Sealer, user_id: str, code: str) -> str | None:
    """Say what a code proves its person by: `totp` or `recovery`; None when it is wrong.

    Commit whatever the answer is. Raises core.errors.TooMany after too many wrong codes.
    """
    failures = await link_failures.check(session, _counted(user_id))
    found = await totps.secret_of(session, sealer, user_id, confirmed=True)
    if found is not None:
        if _matches(*found, code):
            return "totp"
        if _RECOVERY.fullmatch(_letters(code)) and await totps.use_recovery_code(session, user_id, _letters(code)):
            return "recovery"
    link_failures.count(failures)
    return None


def _matches(row: Totp, secret: str, code: str) -> bool:
    """Compare with the steps around now that come after the last one used, and use the matching one up."""
    typed = "".join(code.split())
    if not _TOTP.fullmatch(typed):
        return False
    clock, current = pyotp.TOTP(secret), int(now().timestamp()) // _STEP
    for step in (current + drift for drift in _DRIFT):
        if step > row.last_step and hmac.compare_digest(clock.generate_otp(step), typed):
            row.last_step = step
            return True
    return False


def _letters(code: str) -> str:
    """Leave out what people type or do not type between the groups."""
    return "".join(code.split()).replace("-", "").upper()


def _counted(user_id: str) -> str:
    return f"proof {user_id}"
