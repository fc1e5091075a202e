"""What imported connectors sign in with: sealed in a connection's row, opened only inside a call."""

import base64
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.base import PermanentFailure
from core.clock import now
from core.errors import AssentError, Invalid
from core.ids import new_id
from core.sealing import Sealer
from core.store.database import Database
from core.store.imported import READY
from core.tables.connect import Connection, Imported
from core.values import Value

_TABLE = "connections"
_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$"
_MAX_SECRET = 8_192
# What would change where a request goes, or how it is framed.
_NOT_HEADERS = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"),
        *("content-type", "content-encoding", "accept-encoding", "cookie", "proxy-authorization", "keep-alive"),
    }
)


class Credential(Value):
    """How a service knows us. `secret` is the key, the token or the password; `name` is of api_key's header or query.

    `user` is for basic.
    """

    kind: Literal["api_key", "bearer", "basic"]
    secret: SecretStr = Field(min_length=1, max_length=_MAX_SECRET)
    place: Literal["header", "query"] = "header"
    name: str = Field("X-Api-Key", pattern=_NAME)
    user: str = Field("", max_length=200)

    @field_validator("secret")
    @classmethod
    def _one_line(cls, secret: SecretStr) -> SecretStr:
        """A header is one line of characters that HTTP can carry."""
        if not all(" " <= one <= "~" for one in secret.get_secret_value()):
            message = "the secret has characters that no header can carry"
            raise ValueError(message)
        return secret

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind == "api_key" and self.place == "header" and self.name.lower() in _NOT_HEADERS:
            message = f"{self.name} is no header for a key"
            raise ValueError(message)
        if self.kind == "basic" and (not self.user or ":" in self.user or not self.user.isprintable()):
            message = "basic needs a user name, without a colon"
            raise ValueError(message)
        return self

    @property
    def shown(self) -> dict[str, Any]:
        """What may be shown and kept beside the secret."""
        return self.model_dump(exclude={"secret"})

    @property
    def headers(self) -> dict[str, str]:
        """The headers that it adds to a request."""
        secret = self.secret.get_secret_value()
        if self.kind == "bearer":
            return {"authorization": f"Bearer {secret}"}
        if self.kind == "basic":
            return {"authorization": f"Basic {base64.b64encode(f'{self.user}:{secret}'.encode()).decode()}"}
        return {self.name: secret} if self.place == "header" else {}

    @property
    def query(self) -> dict[str, str]:
        """The parameters that it adds to an address."""
        if self.kind == "api_key" and self.place == "query":
            return {self.name: self.secret.get_secret_value()}
        return {}


class Vault:
    """Opens what connections hold, for a call that is about to be made."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        """Take where they are, and what opens them."""
        self._database = database
        self._sealer = sealer

    async def enter(self, built_of: Imported, action: str) -> Credential | None:
        """See that an imported connector still is as it was built, and give what it signs in with, if anything.

        Raises PermanentFailure when it was changed, disabled or removed; other processes hear of that a little later.
        """
        async with self._database.reading() as session:
            row = await session.get(Imported, built_of.id)
            if row is None or row.state != READY or row.digest != built_of.digest or action not in row.enabled:
                raise PermanentFailure("This imported connector was changed, disabled or removed.")
            found = await session.get(Connection, row.connection_id) if row.connection_id is not None else None
        return self._opened(found)

    async def open(self, connection_id: str | None) -> Credential | None:
        """Give a connection's credential; None when there is none, or it was removed."""
        if connection_id is None:
            return None
        async with self._database.reading() as session:
            return self._opened(await session.get(Connection, connection_id))

    def _opened(self, row: Connection | None) -> Credential | None:
        if row is None or row.removed_at is not None or row.key_id is None or row.ciphertext is None:
            return None
        secret = self._sealer.open(_TABLE, row.id, row.key_id, row.ciphertext)
        return Credential.model_validate({**(row.settings or {}), "secret": secret})


def seal(sealer: Sealer, workspace_id: str, connector: str, by: str, credential: Credential) -> Connection:
    """Make the row of a credential."""
    row_id = new_id("cnx")
    sealed = sealer.seal(_TABLE, row_id, credential.secret.get_secret_value())
    return Connection(
        id=row_id,
        workspace_id=workspace_id,
        connector=connector,
        label=connector,
        key_id=sealed.key_id,
        ciphertext=sealed.ciphertext,
        settings=credential.shown,
        created_by=by,
        created_at=now(),
    )


def parse_credential(given: dict[str, Any]) -> Credential:
    """Read what somebody sent; raises Invalid, which never quotes the secret."""
    try:
        return Credential.model_validate(given)
    except AssentError:
        raise
    except ValueError:
        message = "The credential is not as it must be: kind api_key, bearer or basic; secret; for a key its name."
        raise Invalid(message) from None
