"""MCP servers that others wrote: the protocol's reference server from npm, by both transports, and one from PyPI."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.base import ConnectorError
from connectors.reach import Reach
from core.keys import KeyRing
from core.mcp_entries import McpEntry
from core.store.database import Database
from tests.connectors.test_mcp import Bench, context
from tests.doubles.packages import install
from tests.world import World, eventually

pytestmark = pytest.mark.server
PACKAGE = Path(__file__).parent.parent / "doubles" / "mcp_everything"
SERVER = Path("node_modules/@modelcontextprotocol/server-everything/dist/index.js")


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return World(sqlite_database)


@pytest.fixture(scope="session")
def everything() -> Path:
    return install(PACKAGE)


@pytest.fixture
async def by_http(everything: Path) -> AsyncIterator[str]:
    """The reference server on a port of the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        everything / "node" / "node",
        everything / SERVER,
        "streamableHttp",
        env=os.environ | {"PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def is_up() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(is_up)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


class TestTheReferenceServer:
    async def test_by_http_offers_tools_that_work(self, world: World, ring: KeyRing, by_http: str):
        bench = Bench(world, ring, Reach(private_hosts=(by_http,)))
        row = await bench.row(url=f"http://{by_http}/mcp")
        made = bench.connector(row)

        assert row.source["left_out"] == []
        assert "hello there" in str(await made.execute("echo", {"message": "hello there"}, context()))
        assert "5" in str(await made.execute("get_sum", {"a": 2, "b": 3}, context()))
        structured = await made.execute("get_structured_content", {"location": "Chicago"}, context())
        assert "temperature" in structured

    async def test_as_a_command_offers_tools_that_work(self, world: World, ring: KeyRing, everything: Path):
        entry = McpEntry(
            name="everything", command=str(everything / "node" / "node"), args=(str(everything / SERVER), "stdio")
        )
        bench = Bench(world, ring, Reach(mcp_servers=(entry,)))
        made = bench.connector(await bench.row(options={"server": "everything"}))

        assert "hi" in str(await made.execute("echo", {"message": "hi"}, context()))

    async def test_that_asks_in_the_middle_of_a_call_is_told_no(self, world: World, ring: KeyRing, by_http: str):
        bench = Bench(world, ring, Reach(private_hosts=(by_http,)))
        row = await bench.row(url=f"http://{by_http}/mcp")
        asking = [one for one in row.enabled if "elicit" in one]
        assert asking
        try:
            said = str(await bench.connector(row).execute(asking[0], {}, context()))
        except ConnectorError as error:
            said = error.detail
        assert "told no" in said


class TestATimeServer:
    async def test_tells_the_time(self, world: World, ring: KeyRing):
        entry = McpEntry(name="time", command=sys.executable, args=("-m", "mcp_server_time", "--local-timezone=UTC"))
        bench = Bench(world, ring, Reach(mcp_servers=(entry,)))
        made = bench.connector(await bench.row(options={"server": "time"}))
        result = await made.execute("get_current_time", {"timezone": "Europe/Vienna"}, context())

        assert "Europe/Vienna" in str(result)
