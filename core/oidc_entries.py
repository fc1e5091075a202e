"""The OpenID providers that the settings name, checked."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

NAME = r"[a-z0-9][a-z0-9-]{0,30}"
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_DOMAIN = re.compile(r"[a-z0-9.-]+\.[a-z0-9-]+")


def is_safe(address: str) -> bool:
    """Whether an address is reached by TLS, or lies on this machine."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)


class OidcEntry(BaseModel):
    """One provider by which people may sign in.

    `name` stands in addresses, `title` on the button. `trust_email`: an address that the provider says is verified is
    enough to be taken for the person or the invitation with this address, the first time. `role`: strangers with such
    an address in one of `allowed_domains` become members in this role; without it nobody does. With `allowed_domains`
    nobody with another address gets in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    title: str = ""
    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    trust_email: bool = False
    role: Literal["approver", "member", "viewer"] | None = None
    allowed_domains: tuple[str, ...] = ()

    @field_validator("issuer", mode="after")
    @classmethod
    def _safe(cls, value: str) -> str:
        if not is_safe(value) or urlsplit(value).query or urlsplit(value).fragment:
            message = "must start with https:// (http:// for this machine only), without query and fragment"
            raise ValueError(message)
        return value

    @field_validator("scopes", mode="after")
    @classmethod
    def _open(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            message = "must contain openid"
            raise ValueError(message)
        return value

    @field_validator("allowed_domains", mode="after")
    @classmethod
    def _domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        lowered = tuple(domain.lower() for domain in value)
        if not all(_DOMAIN.fullmatch(domain) for domain in lowered):
            message = "must be domains, as in example.com"
            raise ValueError(message)
        return lowered


OidcEntries = tuple[OidcEntry, ...]


def check_names(entries: OidcEntries) -> OidcEntries:
    """Return the entries; raises ValueError when two have one name, or a role is given to whole domains unnamed."""
    if len({entry.name for entry in entries}) < len(entries):
        message = "each provider needs a name of its own"
        raise ValueError(message)
    for entry in entries:
        if entry.role is not None and not (entry.trust_email and entry.allowed_domains):
            message = f"{entry.name}: role needs trust_email and allowed_domains, else the whole world could join"
            raise ValueError(message)
    return entries
