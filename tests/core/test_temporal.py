"""Connecting to Temporal: what is near, and what happens when nobody answers."""

import pytest

from core.errors import Unavailable
from core.temporal import connect, is_loopback


class TestLoopback:
    @pytest.mark.parametrize(
        "address", ["127.0.0.1:7233", "127.0.0.1", "[::1]:7233", "::1", "localhost:1", "127.9.9.9"]
    )
    def test_near(self, address):
        assert is_loopback(address)

    @pytest.mark.parametrize(
        "address", ["0.0.0.0", "10.0.0.1:7233", "temporal:7233", "::", "", "[::]:80", "example.com"]
    )
    def test_far(self, address):
        assert not is_loopback(address)


class TestConnect:
    async def test_nobody_there_is_said_within_the_limit(self, unused_tcp_port):
        with pytest.raises(Unavailable, match=str(unused_tcp_port)):
            await connect(f"127.0.0.1:{unused_tcp_port}", "default", None, within=0.2)
