"""Where people meet this server: the origin that passkeys and providers are bound to, never what a request claims."""

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from core.errors import Conflict
from core.settings import Settings
from core.values import Value

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Place(Value):
    """An origin, as browsers write it."""

    origin: str

    @property
    def is_secure(self) -> bool:
        """Whether it is reached by TLS."""
        return self.origin.startswith("https://")

    @property
    def rp_id(self) -> str:
        """The domain of passkeys; raises Conflict for an address of numbers, which has none."""
        host = urlsplit(self.origin).hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return host
        message = "Passkeys need a name, not a numeric address: open this server as http://localhost, or by its domain."
        raise Conflict(message, reason="no_domain")


def place_of(settings: Settings, request: Request) -> Place:
    """Give the public address; without one, this machine's own, which the request must have come to.

    Raises Conflict when neither holds.
    """
    if settings.public_url:
        return Place(origin="/".join(settings.public_url.split("/")[:3]))
    if request.url.scheme == "http" and request.url.hostname in _LOCAL:
        return Place(origin=f"http://{request.url.netloc}")
    message = "Whoever runs this server has to set ASSENT_PUBLIC_URL first."
    raise Conflict(message, reason="no_public_url")
