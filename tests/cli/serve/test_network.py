"""Where the server may listen."""

import socket
from contextlib import closing

import pytest

from cli.exit import InUse
from cli.serve.network import check_network, near_address, take_address, web_address
from core.errors import Misconfigured
from core.settings import Settings


@pytest.fixture
def at(tmp_path):
    return lambda **given: Settings(data_dir=tmp_path, **given)


def refused(settings: Settings) -> bool:
    try:
        check_network(settings)
    except Misconfigured:
        return True
    return False


class TestRefusal:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.com"])
    def test_the_network_is_refused_with_the_defaults(self, at, host):
        with pytest.raises(Misconfigured, match=r"ASSENT_PUBLIC_URL.*ASSENT_ALLOW_NETWORK"):
            check_network(at(host=host))

    def test_one_of_two_choices_is_not_enough(self, at):
        with pytest.raises(Misconfigured, match="ASSENT_ALLOW_NETWORK"):
            check_network(at(host="0.0.0.0", public_url="https://assent.example"))

    def test_somebody_who_chose_it_may(self, at):
        settings = at(host="0.0.0.0", public_url="https://assent.example", allow_network=True)

        assert not refused(settings)

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
    def test_loopback_needs_no_choice(self, at, host):
        assert not refused(at(host=host))


class TestAddress:
    def test_a_port_that_somebody_has_is_refused(self, at):
        with closing(socket.create_server(("127.0.0.1", 0))) as other:
            with pytest.raises(InUse, match="--port"):
                take_address(at(port=other.getsockname()[1]))

    def test_port_0_takes_a_free_one(self, at):
        with closing(take_address(at(port=0))) as taken:
            assert web_address("127.0.0.1", taken) == f"http://127.0.0.1:{taken.getsockname()[1]}"

    def test_every_address_is_reached_by_loopback(self, at):
        with closing(take_address(at(host="0.0.0.0", port=0))) as taken:
            assert near_address(taken).startswith("http://127.0.0.1:")

    def test_an_address_of_another_machine_is_refused(self, at):
        with pytest.raises((InUse, Misconfigured)):
            take_address(at(host="192.0.2.1", port=0))
