"""Modes, stops and what a busy conversation does, on the command line, through the real doors."""

import pytest

from cli.talk import modes
from cli.talk.conversations import change, stop_conversation
from cli.talk.ending import ServerError
from core.errors import NotFound
from tests.api.rest.test_talk import say


class TestModes:
    async def test_are_added_listed_and_removed(self, opening, screen):
        shown = screen()
        async with opening() as opened:
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
    async def test_stops_the_latest_conversation(self, opening, screen, ana):
        shown = screen()
        async with opening() as opened:
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
    async def test_says_what_a_busy_conversation_does(self, opening, screen, ana):
        made = (await ana.ask("POST", "/conversations", json={})).json()["id"]
        async with opening() as opened:
            body = {"when_busy": "reject", "mode": "quick"}
            await change(opened, screen(), "PATCH", f"/conversations/{made}", body, "Changed")
        found = (await ana.ask("GET", f"/conversations/{made}")).json()

        assert (found["when_busy"], found["mode"]) == ("reject", "quick")
