"""MCP servers that are commands: run only where the operator's settings name them."""

import json
import sys

import pytest

from connectors.base import PermanentFailure, Unreachable
from connectors.reach import Reach
from core.errors import Misconfigured
from core.mcp_entries import McpEntry
from core.settings import Settings, load_settings
from core.store.database import Database
from tests.connectors.test_mcp import Bench, context
from tests.world import World


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return World(sqlite_database)


class TestACommandOfTheOperator:
    def entry(self, *args: str) -> McpEntry:
        return McpEntry(name="desk", command=sys.executable, args=("-m", "tests.doubles.mcp_server", *args))

    @pytest.mark.server
    async def test_is_run_for_each_call(self, world, ring, tmp_path):
        entry = self.entry("--ledger", str(tmp_path / "ledger"))
        bench = Bench(world, ring, Reach(mcp_servers=(entry,)))
        row = await bench.row(options={"server": "desk"})
        made = bench.connector(row)
        assert await made.execute("add", {"a": 2, "b": 2}, context()) == {"result": 4}
        await made.execute("note", {"text": "hi"}, context())

        assert row.source["address"] == "the server desk of the settings"
        assert json.loads((tmp_path / "ledger").read_text()) == {"note": "hi"}

    @pytest.mark.server
    async def test_that_the_settings_name_no_more_is_not_run(self, world, ring):
        bench = Bench(world, ring, Reach(mcp_servers=(self.entry(),)))
        row = await bench.row(options={"server": "desk"})
        bench.reach = Reach()
        with pytest.raises(PermanentFailure, match="settings name no"):
            await bench.connector(row).execute("add", {"a": 1, "b": 1}, context())

    async def test_that_cannot_be_run_is_unreachable(self, world, ring):
        entry = McpEntry(name="desk", command="/nowhere/at-all")
        with pytest.raises(Unreachable):
            await Bench(world, ring, Reach(mcp_servers=(entry,))).row(options={"server": "desk"})

    def test_is_a_setting(self, tmp_path, monkeypatch):
        (tmp_path / "assent.toml").write_text(
            '[[mcp_servers]]\nname = "time"\ncommand = "python"\nargs = ["-m", "x"]\nenv = { KEY = "v" }\n'
        )
        monkeypatch.setenv("ASSENT_CONFIG", str(tmp_path / "assent.toml"))
        settings: Settings = load_settings(data_dir=tmp_path)

        assert settings.mcp_servers[0].command == "python"
        assert "v" not in repr(settings.mcp_servers[0].env)

    def test_has_one_name_and_one_way(self, tmp_path):
        for entries in (
            [{"name": "a", "command": "x"}, {"name": "a", "url": "http://x"}],
            [{"name": "a"}],
            [{"name": "a", "command": "x", "url": "http://x"}],
        ):
            with pytest.raises(Misconfigured):
                load_settings(data_dir=tmp_path, mcp_servers=entries)
