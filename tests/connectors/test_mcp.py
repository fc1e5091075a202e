"""MCP servers as connectors: what becomes of their tools, what of hostile ones, and who may run commands."""

from datetime import timedelta
from typing import Any

import httpcore2
import pytest

from connectors.addresses import PrivateHosts
from connectors.base import (
    CallContext,
    InputRequired,
    NeedsAuthorization,
    OutcomeUnknown,
    PermanentFailure,
    Throttled,
    Unreachable,
)
from connectors.credentials import Credential, Vault, seal
from connectors.guarded import AddressRefused, Guard
from connectors.kinds import imported_kinds
from connectors.mcp.connector import McpConnector
from connectors.mcp.reader import McpReader
from connectors.mcp.transport import Backend, guarded_transport
from connectors.reach import Reach
from connectors.sources import Wanted
from core.clock import now
from core.errors import Invalid
from core.ids import new_id
from core.keys import KeyRing
from core.sealing import Sealer
from core.store.database import Database
from core.tables.connect import Imported
from tests.doubles.mcp_server import POISON, Script, serving
from tests.world import World


def context() -> CallContext:
    ids: dict[str, Any] = {
        name: new_id("tst") for name in ("workspace_id", "user_id", "conversation_id", "turn_id", "tool_call_id")
    }
    return CallContext(**ids, idempotency_key="key", deadline=now() + timedelta(seconds=30))


class Bench:
    """Imports from a server, and makes the connector that its review would give."""

    def __init__(self, world: World, ring: KeyRing, reach: Reach) -> None:
        self.world = world
        self.reach = reach
        self.sealer = Sealer(ring)
        self.reader = McpReader(reach, Vault(world.database, self.sealer))

    async def row(
        self, credential: Credential | None = None, risks: dict[str, str] | None = None, **wanted: Any
    ) -> Imported:
        found = await self.reader.read(Wanted(name="desk", credential=credential, **wanted))
        draft = found.draft("mcp", "desk")
        who = await self.world.person()
        connection = seal(self.sealer, who.workspace_id, "desk", who.user_id, credential) if credential else None
        if connection is not None:
            await self.world.add(connection)
        row = Imported(
            id=new_id("imp"),
            workspace_id=who.workspace_id,
            enabled=[one["name"] for one in draft.manifest["actions"]],
            risks=risks or {},
            state="ready",
            connection_id=connection.id if connection else None,
            created_by=who.user_id,
            created_at=now(),
            updated_at=now(),
            **draft.model_dump(),
        )
        await self.world.add(row)
        return row

    def connector(self, row: Imported) -> McpConnector:
        made = imported_kinds(self.reach, self.world.database, self.sealer)["mcp"](row)
        assert isinstance(made, McpConnector)
        return made


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return World(sqlite_database)


@pytest.fixture
async def server():
    script = Script()
    async with serving(script) as address:
        yield script, address


@pytest.fixture
def bench(world: World, ring: KeyRing, server) -> Bench:
    return Bench(world, ring, Reach(private_hosts=(server[1],)))


@pytest.fixture
async def connector(bench: Bench, server) -> McpConnector:
    return bench.connector(await bench.row(url=f"http://{server[1]}/mcp"))


class TestImporting:
    async def test_keeps_what_a_server_offers_with_its_pins(self, bench, server):
        row = await bench.row(url=f"http://{server[1]}/mcp")

        assert {"add", "note", "book", "huge"} <= set(row.enabled)
        assert row.source["pins"]["add"]["tool"] == "add"
        assert row.source["address"] == f"http://{server[1]}/mcp"

    async def test_again_finds_what_changed(self, bench, server):
        row = await bench.row(url=f"http://{server[1]}/mcp")
        assert (await bench.reader.read_again(row, None)).digest == row.digest
        async with serving(Script(note=POISON)) as other:
            bench.reader._reach = Reach(private_hosts=(other,))
            row.source = {**row.source, "url": f"http://{other}/mcp"}
            found = await bench.reader.read_again(row, None)

        assert found.digest != row.digest
        assert any("orders" in one for one in found.warnings)

    async def test_a_private_address_needs_the_operators_word(self, world, ring, server):
        with pytest.raises(Invalid, match="Port"):
            await Bench(world, ring, Reach()).row(url=f"http://{server[1]}/mcp")

    @pytest.mark.parametrize(
        "wanted",
        [
            {},
            {"url": "stdio:python -m evil"},
            {"url": "python"},
            {"options": {"command": "python", "args": ["-c", "1"]}},
            {"url": "http://a.example/mcp", "options": {"command": "sh"}},
            {"options": {"server": "unknown"}},
            {"options": {"server": ["sh"]}},
            {"url": "https://a.example", "options": {"server": "x"}},
            {"document": "{}"},
        ],
    )
    async def test_nobody_but_the_operator_names_a_command(self, world, ring, wanted):
        with pytest.raises(Invalid):
            await Bench(world, ring, Reach()).row(**wanted)

    async def test_of_a_server_that_is_not_there_says_so(self, world, ring):
        with pytest.raises(Unreachable):
            await Bench(world, ring, Reach(private_hosts=("127.0.0.1:1",))).row(url="http://127.0.0.1:1/mcp")


class TestACall:
    async def test_gives_the_structure_of_the_result(self, connector):
        assert await connector.execute("add", {"a": 2, "b": 3}, context()) == {"result": 5}

    async def test_gives_the_servers_error_as_its_word(self, connector):
        with pytest.raises(PermanentFailure, match="printer is on fire"):
            await connector.execute("fail", {}, context())

    async def test_cuts_what_is_too_long(self, connector):
        result = await connector.execute("huge", {"size": 300_000}, context())

        assert (result["cut"], len(result["text"])) == (True, 100_000)

    async def test_of_which_nobody_could_take_the_answer_may_have_taken_effect(self, connector):
        with pytest.raises(OutcomeUnknown):
            await connector.execute("huge", {"size": 6_000_000}, context())

    async def test_asks_people_what_the_server_asks(self, connector):
        with pytest.raises(InputRequired) as asked:
            await connector.execute("book", {"place": "Roma"}, context())

        (question,) = asked.value.questions
        assert (question.key, question.message, question.server) == ("when", "When, and how many?", "Desk")
        assert "Window" in question.schema_["properties"]["table"]["description"]
        assert asked.value.state

    async def test_that_has_to_be_made_again_for_ever_ends(self, connector, monkeypatch):
        monkeypatch.setattr("connectors.mcp.connector._PAUSE_SECONDS", 0)
        with pytest.raises(OutcomeUnknown):
            await connector.execute("later", {}, context())

    async def test_carries_the_credential_and_no_cookie(self, bench, server):
        script, address = server
        credential = Credential.model_validate({"kind": "bearer", "secret": "t0ken"})
        made = bench.connector(await bench.row(credential, url=f"http://{address}/mcp"))
        await made.execute("add", {"a": 1, "b": 1}, context())

        assert script.headers[-1]["authorization"] == "Bearer t0ken"
        assert "cookie" not in script.headers[-1]

    async def test_without_its_credential_is_not_made(self, bench, server):
        row = await bench.row(url=f"http://{server[1]}/mcp")
        row.connection_id = "cnx_gone"
        with pytest.raises(NeedsAuthorization):
            await bench.connector(row).execute("add", {"a": 1, "b": 1}, context())

    async def test_to_a_server_that_went_away_took_no_effect(self, bench, world):
        async with serving(Script()) as address:
            bench = Bench(world, KeyRing({"test": b"0" * 32}), Reach(private_hosts=(address,)))
            made = bench.connector(await bench.row(url=f"http://{address}/mcp"))
        with pytest.raises(Unreachable):
            await made.execute("note", {"text": "x"}, context())

    async def test_of_a_tool_that_changed_is_refused_and_the_whole_server_waits_for_review(self, bench, server, world):
        row = await bench.row(url=f"http://{server[1]}/mcp")
        row.source["pins"]["note"]["digest"] = "another"
        with pytest.raises(PermanentFailure, match="another than was reviewed"):
            await bench.connector(row).execute("note", {"text": "x"}, context())

        kept = await world.get(Imported, row.id)
        assert (kept.state, kept.detail) == ("changed", "Its tool note is another than was reviewed.")
        assert server[0].done == []

    async def test_is_counted_by_its_import_and_not_by_its_name(self, bench, server):
        rows = [await bench.row(url=f"http://{server[1]}/mcp") for _ in range(2)]
        hosts = {bench.connector(row).host_of("add", {}) for row in rows}

        assert len(hosts) == 2
        assert all(host.startswith("#") for host in hosts)

    async def test_shows_where_it_goes_without_asking_the_server(self, connector, server):
        shown = await connector.preview("note", {"text": "x"}, context())

        assert {one.label: one.after for one in shown.changes} == {"Server": server[1], "Tool": "note"}


class TestTheReviewersWord:
    async def test_lets_a_tool_read_or_be_repeated(self, bench, server):
        row = await bench.row(url=f"http://{server[1]}/mcp", risks={"add": "read", "book_again": "write"})
        effects = {one.name: one.effect for one in bench.connector(row).manifest.actions}

        assert (effects["add"], effects["book_again"], effects["book"]) == ("read", "idempotent", "at_most_once")

    async def test_is_needed_before_a_hint_counts(self, connector):
        effects = {one.name: (one.risk, one.effect) for one in connector.manifest.actions}

        assert effects["book_again"] == ("write", "at_most_once")


class TestTheGuard:
    @pytest.mark.parametrize(
        "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
    )
    async def test_is_that_of_every_other_call(self, address):
        async def resolve(host: str, port: int) -> list[str]:
            return [address]

        with pytest.raises(AddressRefused):
            await Backend(Guard(PrivateHosts(), resolve=resolve)).connect_tcp("a.example", 443)

    async def test_opens_every_connection_of_the_sdk(self):
        transport = guarded_transport()
        assert isinstance(transport._pool, httpcore2.AsyncConnectionPool)
        assert isinstance(transport._pool._network_backend, Backend)
        await transport.aclose()


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "error"),
        [("401", NeedsAuthorization), ("403", NeedsAuthorization), ("429", Throttled), ("500", Unreachable)],
    )
    async def test_of_the_web_are_told_apart(self, world, ring, hostile, status, error):
        bench = Bench(world, ring, Reach(private_hosts=(hostile.address,)))
        with pytest.raises(error):
            await bench.row(url=hostile.url(f"/status?{status}"))

    async def test_a_redirect_to_elsewhere_is_not_followed(self, world, ring, hostile):
        bench = Bench(world, ring, Reach(private_hosts=(hostile.address,)))
        with pytest.raises((Unreachable, Invalid)):
            await bench.row(url=hostile.url("/to?307&http://169.254.169.254/mcp"))

        assert len(hostile.heads) <= 2
