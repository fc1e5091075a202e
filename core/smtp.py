"""The mail server that messages are handed to, as one setting: `[smtp]`."""

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

_PORTS = {"implicit": 465, "starttls": 587, "none": 25}
_LOCAL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"

Address = Annotated[str, StringConstraints(pattern=rf"^{_LOCAL}@[A-Za-z0-9]([A-Za-z0-9.-]{{0,251}}[A-Za-z0-9])?$")]


class SmtpSettings(BaseModel):
    """How mail is sent. Without TLS only to this machine, unless `allow_plain`: the password would be read on the way.

    `port` is that of the kind of TLS unless given; `home_domains` are those that a preview does not warn about, the
    domain of `from_address` unless given; `timeout_seconds` is for one message, from connecting to the last answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(0, ge=0, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    tls: Literal["implicit", "starttls", "none"] = "starttls"
    allow_plain: bool = False
    from_address: Address
    from_name: str = Field("", max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")
    home_domains: tuple[str, ...] = ()
    timeout_seconds: float = Field(30, gt=0, le=120)

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.tls == "none" and not self.allow_plain and not _is_here(self.host):
            message = 'tls = "none" needs a host on this machine, or allow_plain = true'
            raise ValueError(message)
        if (self.username is None) != (self.password is None):
            message = "username and password belong together"
            raise ValueError(message)
        return self

    @property
    def service_port(self) -> int:
        """The port to connect to."""
        return self.port or _PORTS[self.tls]

    @property
    def domains(self) -> frozenset[str]:
        """The domains that are not outside, in small letters."""
        own = self.from_address.rpartition("@")[2]
        return frozenset(one.lower() for one in self.home_domains or (own,))


def _is_here(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
