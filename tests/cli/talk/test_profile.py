"""One's own profile on the command line, through the real doors."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import httpx
import pytest
from pydantic import SecretStr

from cli.talk import profile
from cli.talk.ending import ServerError
from cli.talk.server import Server, open_server
from core.permissions import Role
from tests.api.rest.house import ADDRESS, House, open_house


@pytest.fixture
async def house(settings, sqlite_database, ring) -> AsyncIterator[House]:
    async with open_house(settings, sqlite_database, ring) as opened:
        yield opened


@pytest.fixture
async def server(house, signed_in):
    """Open the house for Ana."""
    ana = await house.person(await house.workspace(), Role.MEMBER)
    store = signed_in(ADDRESS)
    store.write(store.read().model_copy(update={"access_token": SecretStr(ana.token)}))

    def opened() -> AbstractAsyncContextManager[Server]:
        return open_server(store, httpx.ASGITransport(house.app))

    return opened


class TestProfile:
    async def test_it_is_set_bit_by_bit_and_emptied(self, server, screen):
        made = screen()
        nothing = {"name": None, "locale": None, "time_zone": None}
        async with server() as opened:
            await profile.change(opened, made, {**nothing, "locale": "de-AT"}, {"answers": "short", "tone": "dry"})
            await profile.change(opened, made, {**nothing, "time_zone": "Europe/Vienna"}, {"tone": ""})
            await profile.change(opened, made, {**nothing, "locale": ""}, {})
            await profile.show(opened, made)
        lines = made.out.getvalue().splitlines()

        assert lines[-3:] == ["Language: not said", "Time zone: Europe/Vienna", "Preference answers: short"]

    async def test_what_cannot_be_is_told(self, server, screen):
        async with server() as opened:
            with pytest.raises(ServerError, match="time_zone"):
                await profile.change(opened, screen(), {"time_zone": "Mars"}, {})
