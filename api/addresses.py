"""Which addresses people and programs may have told of events: what is plainly private is refused at once.

Names are looked up when something is sent, by the guarded transport: what they lead to may change.
"""

import ipaddress
import re

import httpx

from connectors.addresses import PrivateHosts, is_public
from core.errors import Invalid

_PORTS = {"http": 80, "https": 443}
_LAST = 65_535
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


def check_webhook_url(text: str, private: PrivateHosts) -> str:
    """Return the address, or raise Invalid when nothing can or may be sent there."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise Invalid("This is no address.") from error
    port = url.port or _PORTS.get(url.scheme)
    if (
        port is None
        or port > _LAST
        or not _HOST.fullmatch(url.raw_host.decode("ascii"))
        or url.userinfo
        or url.fragment
    ):
        message = "A webhook's address is https://HOST/PATH, without a user or password in it."
        raise Invalid(message)
    if private.names(url.host, port):
        return text
    address = _literal(url.host)
    if address is not None and not (is_public(address) or private.holds(address)):
        message = (
            "This address is private: only what the setting webhook_hosts names may be reached besides public ones."
        )
        raise Invalid(message)
    if url.scheme != "https" and (address is None or not private.holds(address)):
        message = "A webhook's address begins with https://, unless the setting webhook_hosts names its host."
        raise Invalid(message)
    return text


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
