"""One way to connect a Temporal client: pydantic values, encrypted when there is a key ring, patient at start."""

import asyncio
import dataclasses
import ipaddress
import time
from datetime import timedelta
from typing import Protocol

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode

from core.codec import RingCodec
from core.errors import Misconfigured, Unavailable
from core.keys import KeyRing

_PAUSE = 0.05
_REFUSALS = frozenset({RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED})


class TemporalState(Protocol):
    """What health tells about the Temporal server."""

    @property
    def state(self) -> str:
        """`starting`, `ready` or `down`."""

    @property
    def restarts(self) -> int:
        """How often it had to be started again since this process began; 0 for a server that is not our child."""

    @property
    def ui_url(self) -> str | None:
        """Where its web UI is, without a slash at the end; None when not known."""


def data_converter(ring: KeyRing | None) -> DataConverter:
    """Return the converter of all values; with a ring, failures and payloads are encrypted."""
    if ring is None:
        return pydantic_data_converter
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=RingCodec(ring),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(
    address: str,
    namespace: str,
    ring: KeyRing | None,
    *,
    within: float = 30,
    tls: bool = False,
    api_key: str | None = None,
) -> Client:
    """Connect to `HOST:PORT`, trying again for `within` seconds; raises Unavailable, or Misconfigured when refused."""
    until = time.monotonic() + within
    while True:
        try:
            return await Client.connect(
                address,
                namespace=namespace,
                data_converter=data_converter(ring),
                tls=tls,
                api_key=api_key,
                grpc_compression=GrpcCompression.NONE if is_loopback(address) else GrpcCompression.GZIP,
                connect_timeout=timedelta(seconds=5),
            )
        except (RuntimeError, RPCError) as error:
            if isinstance(error, RPCError) and error.status in _REFUSALS:
                message = f"Temporal at {address} refused us: {error}"
                raise Misconfigured(message) from None
            if time.monotonic() > until:
                message = f"Temporal at {address} cannot be reached: {error}"
                raise Unavailable(message) from error
        await asyncio.sleep(_PAUSE)


def is_loopback(address: str) -> bool:
    """Tell whether `HOST`, or `HOST:PORT`, never leaves this machine."""
    host = address.removeprefix("[").partition("]")[0] if address.startswith("[") else address
    host = host.rpartition(":")[0] if host.count(":") == 1 else host
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
