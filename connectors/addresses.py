"""Which addresses a call may go to: public ones, and the private ones that the operator named."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import Misconfigured

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Lists of our own: what Python calls global differs from version to version, and has 64:ff9b::/96 in it.
_CLOSED = tuple(
    ipaddress.ip_network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        "168.63.129.16/32",  # a cloud's wire server, on an address that looks public
        *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),  # Teredo is in the first
    )
)
_OPEN_V6 = ipaddress.ip_network("2000::/3")
"""All global unicast there is; outside lie loopback, v4-mapped, NAT64, local and multicast addresses."""


def is_public(address: Address) -> bool:
    """Tell whether an address is somebody's on the internet, and no way round to a private one."""
    if isinstance(address, ipaddress.IPv6Address) and (address not in _OPEN_V6 or _is_isatap(address)):
        return False
    return not any(address in network for network in _CLOSED if network.version == address.version)


def _is_isatap(address: ipaddress.IPv6Address) -> bool:
    return (int(address) >> 32) & 0xFDFFFFFF == 0x5EFE  # noqa: PLR2004 - the interface id of RFC 5214, both kinds


@dataclass(frozen=True)
class PrivateHosts:
    """What the operator lets calls reach besides the internet: services by name and port, and whole networks."""

    services: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "PrivateHosts":
        """Read `HOST:PORT` and `NETWORK/BITS`; raises Misconfigured for anything else."""
        services: set[tuple[str, int]] = set()
        networks: list[Network] = []
        for entry in entries:
            if "/" in entry:
                networks.append(_network(entry))
            else:
                services.add(_service(entry))
        return cls(frozenset(services), tuple(networks))

    def names(self, host: str, port: int) -> bool:
        """Tell whether this very service was named."""
        return (plain_host(host), port) in self.services

    def holds(self, address: Address) -> bool:
        """Tell whether the address lies in a network that was named."""
        return any(address in network for network in self.networks if network.version == address.version)


def plain_host(host: str) -> str:
    """Write a host one way: small letters, no final dot, no brackets."""
    return host.strip("[]").rstrip(".").lower()


def _network(entry: str) -> Network:
    try:
        return ipaddress.ip_network(entry)
    except ValueError as error:
        message = f"private_hosts: {entry} is no network"
        raise Misconfigured(message) from error


def _service(entry: str) -> tuple[str, int]:
    host, _, port = entry.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the last port
        message = f"private_hosts: {entry} is neither HOST:PORT nor NETWORK/BITS"
        raise Misconfigured(message)
    return plain_host(host), int(port)
