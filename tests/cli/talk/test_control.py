"""Modes, stops and what a busy conversation does, on the command line, through the real doors."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import httpx
import pytest
from pydantic import SecretStr

from cli.talk import modes
from cli.talk.conversations import change, stop_conversation
from cli.talk.ending import ServerError
from cli.talk.server import Server, open_server
from core.errors import NotFound
from core.permissions import Role
from tests.api.rest.house import ADDRESS, House, Person, open_house
from tests.api.rest.test_talk import say


@pytest.fixture
async def house(settings, sqlite_database, ring) -> AsyncIterator[House]:
    async with open_house(settings, sqlite_database, ring) as opened:
        yield opened


@pytest.fixture
async def ana(house) -> Person:
    return await house.person(await house.workspace(), Role.OWNER)


@pytest.fixture
def server(house, ana, signed_in):
    """Open the house for Ana."""
    store = signed_in(ADDRESS)
    store.write(store.read().model_copy(update={"access_token": SecretStr(ana.token)}))

    def opened() -> AbstractAsyncContextManager[Server]:
        return open_server(store, httpx.ASGITransport(house.app))

    return opened


class TestModes:
    async def test_are_added_listed_and_removed(self, server, screen):
        shown = screen()
        async with server() as opened:
            await modes.add_mode(opened, shown, {"name": "trading", "title": "Trading", "tools": [], "rounds": 4})
            await modes.list_modes(opened, shown)
            await modes.remove_mode(opened, shown, "trading")
            with pytest.raises(ServerError, match="no such mode"):
                await modes.remove_mode(opened, shown, "trading")
        text = shown.out.getvalue()

        assert "Made the mode trading." in text
        assert "none" in text
        assert "rounds 4" in text
        assert "Removed the mode trading." in text


class TestStop:
    async def test_stops_the_latest_conversation(self, server, screen, ana):
        shown = screen()
        async with server() as opened:
            with pytest.raises(NotFound):
                await stop_conversation(opened, shown, None, queued=False, waiting=False)
            made = (await ana.ask("POST", "/conversations", json={})).json()["id"]
            await say(ana, made)
            await say(ana, made, "More", "two")
            await stop_conversation(opened, shown, None, queued=True, waiting=False)
            await stop_conversation(opened, shown, made, queued=False, waiting=True)

        said = [line for line in shown.out.getvalue().splitlines() if "[info" not in line and "[warn" not in line]
        assert said == ["Stopped 2 answers.", "Nothing runs there."]


class TestSet:
    async def test_says_what_a_busy_conversation_does(self, server, screen, ana):
        made = (await ana.ask("POST", "/conversations", json={})).json()["id"]
        async with server() as opened:
            body = {"when_busy": "reject", "mode": "quick"}
            await change(opened, screen(), "PATCH", f"/conversations/{made}", body, "Changed")
        found = (await ana.ask("GET", f"/conversations/{made}")).json()

        assert (found["when_busy"], found["mode"]) == ("reject", "quick")
