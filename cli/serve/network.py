"""The address that the server listens on: taken before anything else starts, refused where it would be unsafe."""

import socket
import sys
from typing import Any

from cli.exit import InUse
from core.errors import Misconfigured
from core.settings import Settings
from core.temporal import is_loopback

_DEAD_PEER_MS = 30_000


def check_network(settings: Settings) -> None:
    """Refuse an address that other machines reach until somebody chose that; raises Misconfigured."""
    if is_loopback(settings.host):
        return
    missing = [
        name
        for name, given in (
            ("ASSENT_PUBLIC_URL=https://NAME (the address that people use)", settings.public_url),
            ("ASSENT_ALLOW_NETWORK=true (after putting TLS in front)", settings.allow_network),
        )
        if not given
    ]
    if missing:
        message = f"{settings.host} can be reached by other machines. Set {' and '.join(missing)}, or use 127.0.0.1."
        raise Misconfigured(message)


def take_address(settings: Settings) -> socket.socket:
    """Return a socket bound to the address; raises InUse when somebody has it, Misconfigured when it is not ours."""
    family, kind, protocol, _, address = _resolve(settings.host, settings.port)
    taken = socket.socket(family, kind, protocol)
    if sys.platform != "win32":
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS)
    try:
        taken.bind(address)
    except OSError as error:
        taken.close()
        message = f"{settings.host}:{settings.port} cannot be used ({error.strerror}): stop who has it or pass --port."
        raise InUse(message) from error
    return taken


def web_address(host: str, taken: socket.socket) -> str:
    """Return `http://HOST:PORT`, with the port that the socket really has."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{taken.getsockname()[1]}"


def near_address(taken: socket.socket) -> str:
    """Return an address by which this machine reaches the socket."""
    host = str(taken.getsockname()[0])
    return web_address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), taken)  # noqa: S104  it is compared with


def _resolve(host: str, port: int) -> tuple[int, int, int, str, Any]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        message = f"{host} is not an address of this machine: {error.strerror}"
        raise Misconfigured(message) from error
    return min(found, key=lambda one: one[0] != socket.AF_INET)
