"""Access tokens, made at sign-in, and programs' tokens: checked at every request and on every socket against SQL."""

import asyncio
import time
from typing import Any

import jwt
import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.clock import now
from core.errors import NotSignedIn
from core.ids import new_id, secret_hash
from core.keys import KeyRing, UnknownKey
from core.permissions import Principal
from core.settings import Settings
from core.store import api_tokens, audience, people
from core.store.database import Database

ISSUER = "assent"
AUDIENCE = "assent-api"
TYPE = "at+jwt"
_ALGORITHM = "HS256"
_LEEWAY = 30
_MAX_LENGTH = 2048
_NOTE_SECONDS = 60.0
_MAX_NOTED = 10_000
_log = structlog.get_logger()
_REQUIRED = ("exp", "iat", "sub", "aud", "iss", "jti", "sid", "ws")


class Tokens:
    """Signs with the newest key of the ring; takes what any of its keys signed."""

    def __init__(self, ring: KeyRing, settings: Settings) -> None:
        """Keep the ring, and how long a token lives."""
        self._ring = ring
        self.seconds = settings.access_token_seconds
        self._noted: dict[str, float] = {}
        self._noting: set[asyncio.Task[None]] = set()

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
        """Give the person behind a token: it or its session not revoked, person not disabled, role fresh.

        Raises NotSignedIn.
        """
        if token.startswith(api_tokens.PREFIX):
            return await self._program(database, token)
        claims = self._read(token)
        async with database.reading() as session:
            return await people.principal_of(session, claims["sid"], claims["sub"], claims["ws"])

    async def _program(self, database: Database, token: str) -> Principal:
        found = None
        if len(token) <= _MAX_LENGTH and token.isascii():
            async with database.reading() as session:
                found = await audience.behind(session, secret_hash(token))
        if found is None:
            message = "The token does not hold: it was revoked, it is over, or there is none like it."
            raise NotSignedIn(message)
        who, row = found
        self._note(database, row.id)
        return who

    def _note(self, database: Database, token_id: str) -> None:
        """Let it be written down that the token is used, beside the request and at most once a minute."""
        at = time.monotonic()
        if at - self._noted.get(token_id, -_NOTE_SECONDS) < _NOTE_SECONDS:
            return
        if len(self._noted) >= _MAX_NOTED:
            self._noted.clear()
        self._noted[token_id] = at
        task = asyncio.create_task(_write_used(database, token_id))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def aclose(self) -> None:
        """Wait for what is being noted."""
        if self._noting:
            await asyncio.wait(self._noting, timeout=5)

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


async def _write_used(database: Database, token_id: str) -> None:
    try:
        async with database.scribbling() as session:
            await api_tokens.note_used(session, token_id, now())
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        _log.warning("a token's use was not noted", error=type(error).__name__)
