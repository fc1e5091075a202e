"""Access tokens: made at sign-in, checked at every request and on every socket against SQL."""

from typing import Any

import jwt

from core.clock import now
from core.errors import NotSignedIn
from core.ids import new_id
from core.keys import KeyRing, UnknownKey
from core.permissions import Principal
from core.settings import Settings
from core.store import people
from core.store.database import Database

ISSUER = "assent"
AUDIENCE = "assent-api"
TYPE = "at+jwt"
_ALGORITHM = "HS256"
_LEEWAY = 30
_MAX_LENGTH = 2048
_REQUIRED = ("exp", "iat", "sub", "aud", "iss", "jti", "sid", "ws")


class Tokens:
    """Signs with the newest key of the ring; takes what any of its keys signed."""

    def __init__(self, ring: KeyRing, settings: Settings) -> None:
        """Keep the ring, and how long a token lives."""
        self._ring = ring
        self.seconds = settings.access_token_seconds

    def access(self, user_id: str, session_id: str, workspace_id: str) -> str:
        """Make a token for a session; it is good for `seconds`, unless the session ends before."""
        key_id, key = self._ring.active("jwt")
        issued = int(now().timestamp())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "sid": session_id,
            "ws": workspace_id,
            "iat": issued,
            "exp": issued + self.seconds,
            "jti": new_id("tok"),
        }
        return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": key_id, "typ": TYPE})

    async def authenticate(self, database: Database, token: str) -> Principal:
        """Give the person behind a token: session not revoked, person not disabled, role fresh. Raises NotSignedIn."""
        claims = self._read(token)
        async with database.reading() as session:
            return await people.principal_of(session, claims["sid"], claims["sub"], claims["ws"])

    def _read(self, token: str) -> dict[str, Any]:
        """Check signature and claims; which of them was wrong is nobody's business."""
        try:
            return self._decode(token)
        except (jwt.PyJWTError, UnknownKey, ValueError, TypeError, OverflowError, RecursionError) as error:
            message = "The access token is not valid, or it has expired: sign in again."
            raise NotSignedIn(message) from error

    def _decode(self, token: str) -> dict[str, Any]:
        if len(token) > _MAX_LENGTH:
            message = "too long"
            raise ValueError(message)
        header = jwt.get_unverified_header(token)
        if header.get("typ") != TYPE or "crit" in header:
            message = "not an access token"
            raise ValueError(message)
        key = self._ring.get("jwt", header.get("kid", ""))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=_LEEWAY,
            options={"require": list(_REQUIRED), "strict_aud": True, "enforce_minimum_key_length": True},
        )
        if not all(isinstance(claims[name], str) for name in ("sub", "sid", "ws")):
            message = "claims of a wrong type"
            raise ValueError(message)
        return claims
