"""From which pages a socket may be opened: an explicit list, never whatever the request claims."""

from collections.abc import Callable
from typing import Any

from core.settings import Settings

_LOCAL = ("localhost", "127.0.0.1", "[::1]")


def origin_check(settings: Settings) -> Callable[..., bool]:
    """Make the check: the public address, the configured origins, and this server's own port on this machine.

    A request without an origin comes from no page; it is for the token to say who that is.
    """
    listed = {origin.rstrip("/") for origin in settings.cors_origins}
    if settings.public_url:
        listed.add("/".join(settings.public_url.split("/")[:3]))

    def allows(origin: str, environ: dict[str, Any]) -> bool:
        if origin in listed:
            return True
        port = (environ["asgi.scope"].get("server") or ("", 0))[1]
        return any(origin == f"http://{host}:{port}" for host in (*_LOCAL, settings.host))

    return allows
