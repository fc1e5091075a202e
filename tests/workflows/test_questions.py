"""What an MCP server asks in the middle of a call, on a real Temporal server, answered through the intake."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from connectors.credentials import Vault
from connectors.importing import Importer
from connectors.kinds import imported_kinds
from connectors.mcp.reader import McpReader
from connectors.reach import Reach
from connectors.sources import Wanted
from core.errors import Invalid, NotFound
from core.keys import KeyRing
from core.permissions import Principal, Role
from core.sealing import Sealer
from core.store import approvals, imported
from core.store.database import Database
from core.store.work import change
from core.tables.connect import Imported
from core.tables.consent import Approval
from core.tables.records import AuditRow
from core.tables.work import ToolCall
from core.values import ApprovalState, CallState, TurnState
from core.views import ApprovalView
from tests.doubles.mcp_server import POISON, Script, serving
from tests.workflows.stage import Stage, open_stage
from tests.world import eventually
from workers.llm.port import CallAsked

pytestmark = pytest.mark.server

TOOLS = ("add", "note", "book", "book_again", "rounds", "several", "steal", "link", "think")
WHEN = {"date": "2026-12-24", "seats": 3}


def ask(tool: str, call_id: str = "c1", **arguments: Any) -> CallAsked:
    return CallAsked(call_id=call_id, name=f"desk.{tool}", arguments=arguments)


class Desk:
    """A stage in whose workspace a server is imported; the server comes and goes on one port."""

    def __init__(self, stage: Stage, script: Script, address: str) -> None:
        self.stage = stage
        self.script = script
        self.address = address
        self.port = int(address.rpartition(":")[2])
        self.reach = Reach(private_hosts=(address,))
        self.sealer = Sealer(stage.ring)
        self.importer = Importer(
            stage.database, stage.parts.actor._gate.registry, imported_kinds(self.reach, stage.database, self.sealer)
        )

    async def settle_in(self, who: Principal, tools: tuple[str, ...] = TOOLS) -> Imported:
        reader = McpReader(self.reach, Vault(self.stage.database, self.sealer))
        found = await reader.read(Wanted(name="desk", url=f"http://{self.address}/mcp"))
        async with change(self.stage.database, self.stage.rooms) as work:
            row = await imported.add(work, self.stage.audit, who, found.draft("mcp", "desk"))
            risks = dict.fromkeys(tools, "write") | {"add": "read"}
            row = await imported.review(
                work, self.stage.audit, who, row.id, digest=row.digest, enable=tools, risks=risks
            )
        await self.importer.refresh()
        return row

    async def begin(self, tool: str, **arguments: Any) -> tuple[str, ApprovalView]:
        """Let the model call a tool, approve that, and wait for what the server asks."""
        sent = await self.stage.send(f"use {tool}", [ask(tool, **arguments)], ["Done."])
        (consent,) = await self.stage.pending()
        await self.stage.decide(consent)
        return sent.turn_id, await self.question()

    async def question(self, *not_this: str) -> ApprovalView:
        found: list[ApprovalView] = []

        async def shown() -> bool:
            found[:] = [
                one for one in await self.stage._pending() if one.origin == "question" and one.id not in not_this
            ]
            return bool(found)

        await eventually(shown)
        return found[-1]

    async def call(self, turn_id: str) -> ToolCall:
        (call,) = await self.stage.calls(turn_id)
        return call


@pytest.fixture
async def desk(tmp_path: Path, sqlite_database: Database, client: Client, ring: KeyRing) -> AsyncIterator[Desk]:
    script = Script()
    async with open_stage(tmp_path, sqlite_database, client, ring) as stage, serving(script) as address:
        async with stage.working():
            made = Desk(stage, script, address)
            await made.settle_in(stage.ana)
            yield made


class TestAnAnswer:
    async def test_goes_to_the_server_and_the_call_is_done_once(self, desk):
        turn_id, question = await desk.begin("book", place="Roma")

        assert question.title == "The server Desk asks: “When, and how many?”"
        assert question.arguments_schema["properties"]["table"]["enum"] == ["w", "b"]
        assert question.arguments == {"seats": 2}
        assert (await desk.call(turn_id)).state == CallState.AWAITING
        assert (await desk.stage.until(turn_id, TurnState.WAITING)).state == TurnState.WAITING
        await desk.stage.decide(question, arguments=WHEN)
        turn = await desk.stage.ended(turn_id)

        call = await desk.call(turn_id)
        assert (turn.state, call.state) == (TurnState.FINISHED, CallState.DONE)
        assert call.result == {"text": "booked Roma on 2026-12-24"}
        assert desk.script.done == [{"booked": "Roma", **WHEN}]
        kinds = [one.kind for one in sorted(await desk.stage.all(AuditRow), key=lambda one: one.number)]
        told = ["call.started", "call.asks", "call.answered", "call.executed"]
        assert [one for one in kinds if one.startswith("call.")] == told

    async def test_that_does_not_fit_the_form_is_refused_and_it_stays_open(self, desk):
        turn_id, question = await desk.begin("book", place="Roma")

        with pytest.raises(Invalid) as missing:
            await desk.stage.decide(question)
        with pytest.raises(Invalid) as wrong:
            await desk.stage.decide(question, arguments={"date": "2026-12-24", "seats": 99})
        await desk.stage.decide(question, arguments=WHEN)
        await desk.stage.ended(turn_id)

        assert missing.value.more["reason"] == "answer_missing"
        assert "seats" in wrong.value.detail
        assert desk.script.done == [{"booked": "Roma", **WHEN}]

    async def test_no_is_told_to_the_server(self, desk):
        turn_id, question = await desk.begin("book", place="Roma")

        await desk.stage.decide(question, "reject")
        await desk.stage.ended(turn_id)

        assert (await desk.call(turn_id)).result == {"text": "not booked: decline"}
        assert desk.script.done == [{"not booked": "Roma", "answer": "decline"}]

    async def test_may_be_asked_for_again_and_again(self, desk):
        turn_id, question = await desk.begin("rounds", count=3)
        seen = [question.id]
        for word in ("one", "two", "three"):
            await desk.stage.decide(question, arguments={"word": word})
            if word != "three":
                question = await desk.question(*seen)
                seen.append(question.id)
        await desk.stage.ended(turn_id)

        assert (await desk.call(turn_id)).result == {"text": "one two three"}

    async def test_is_asked_for_five_times_at_most(self, desk):
        turn_id, question = await desk.begin("rounds", count=9)
        seen = [question.id]
        for number in range(5):
            await desk.stage.decide(question, arguments={"word": str(number)})
            if number < 4:
                question = await desk.question(*seen)
                seen.append(question.id)
        await desk.stage.ended(turn_id)

        call = await desk.call(turn_id)
        assert (call.state, call.detail) == (CallState.FAILED, "Not carried out: the service asked more than 5 times")

    async def test_to_several_questions_is_sent_together(self, desk):
        turn_id, sure = await desk.begin("several")
        assert sure.arguments == {"yes": True}
        await desk.stage.decide(sure)
        name = await desk.question(sure.id)
        await desk.stage.decide(name, arguments={"name": "Ana"})
        await desk.stage.ended(turn_id)

        assert (await desk.call(turn_id)).result == {"text": '["accept", {"yes": true}, "accept", {"name": "Ana"}]'}

    async def test_no_to_one_of_several_is_a_no_to_all(self, desk):
        turn_id, sure = await desk.begin("several")
        await desk.stage.decide(sure, "reject")
        await desk.stage.ended(turn_id)

        assert (await desk.call(turn_id)).result == {"text": '["decline", null, "decline", null]'}


class TestNobodysAnswer:
    async def test_is_a_cancel_when_the_time_is_over(self, tmp_path, sqlite_database, client, ring):
        script = Script()
        async with (
            open_stage(tmp_path, sqlite_database, client, ring, approval_expiry_seconds=3) as stage,
            serving(script) as address,
            stage.working(),
        ):
            desk = Desk(stage, script, address)
            await desk.settle_in(stage.ana)
            turn_id, _ = await desk.begin("book", place="Roma")
            await stage.ended(turn_id)

            assert (await desk.call(turn_id)).result == {"text": "not booked: cancel"}

    async def test_is_waited_for_no_more_when_the_turn_is_stopped(self, desk):
        turn_id, question = await desk.begin("book", place="Roma")

        await desk.stage.intake.stop_turn(desk.stage.ana, turn_id)
        await desk.stage.ended(turn_id)

        call = await desk.call(turn_id)
        ended = "The turn ended while its service waited for an answer"
        assert (call.state, call.detail) == (CallState.NOT_RUN, ended)
        assert (await desk.stage.get(Approval, question.id)).state == ApprovalState.WITHDRAWN
        assert desk.script.done == []


class TestWhatIsAsked:
    async def test_for_a_password_is_shown_with_a_warning_and_masked(self, desk):
        turn_id, question = await desk.begin("steal")

        assert "[U+202E]" in question.title
        assert any("password" in one for one in question.preview.warnings)
        await desk.stage.decide(question, arguments={"password": "hunter22"})
        await desk.stage.ended(turn_id)
        async with desk.stage.database.reading() as session:
            shown = await approvals.one(session, desk.stage.ana, question.id)
        assert shown.arguments == {"password": "••••••"}

    async def test_with_an_address_is_never_opened_and_the_server_is_told_no(self, desk):
        sent = await desk.stage.send("use link", [ask("link")], ["Done."])
        (consent,) = await desk.stage.pending()
        await desk.stage.decide(consent)
        await desk.stage.ended(sent.turn_id)

        call = await desk.call(sent.turn_id)
        assert call.result["text"] == "you said decline"
        assert "https://pay.example/x" in call.result["notes"][0]

    async def test_of_our_model_is_refused(self, desk):
        sent = await desk.stage.send("use think", [ask("think")], ["Done."])
        (consent,) = await desk.stage.pending()
        await desk.stage.decide(consent)
        await desk.stage.ended(sent.turn_id)

        call = await desk.call(sent.turn_id)
        assert (call.state, "no server is given" in call.detail) == (CallState.FAILED, True)

    async def test_is_nothing_to_another_workspace(self, desk):
        _, question = await desk.begin("book", place="Roma")
        stranger = await desk.stage.person(role=Role.OWNER)

        with pytest.raises(NotFound):
            await desk.stage.decide(question, who=stranger, arguments=WHEN)
        async with desk.stage.database.reading() as session:
            assert await approvals.page(session, stranger, state=None, limit=9, cursor=None) == ([], None, 0)


class TestARestart:
    async def test_of_both_sides_between_question_and_answer_is_outlived(self, tmp_path, sqlite_database, client, ring):
        script = Script()
        async with open_stage(tmp_path, sqlite_database, client, ring) as stage:
            async with serving(script) as address, stage.working():
                desk = Desk(stage, script, address)
                await desk.settle_in(stage.ana)
                turn_id, question = await desk.begin("book", place="Roma")
                await stage.until(turn_id, TurnState.WAITING)
            fresh = Script()
            async with serving(fresh, desk.port):
                async with stage.working():
                    await stage.decide(question, arguments=WHEN)
                    await stage.ended(turn_id)

            assert (await desk.call(turn_id)).result == {"text": "booked Roma on 2026-12-24"}
            assert (script.done, fresh.done) == ([], [{"booked": "Roma", **WHEN}])


class TestAToolThatChanged:
    async def test_is_refused_and_nothing_of_its_server_may_be_used(self, tmp_path, sqlite_database, client, ring):
        async with open_stage(tmp_path, sqlite_database, client, ring) as stage, stage.working():
            async with serving(Script()) as address:
                desk = Desk(stage, Script(), address)
                await desk.settle_in(stage.ana)
                sent = await stage.send("use note", [ask("note", text="hi")], ["Done."])
                (consent,) = await stage.pending()
            changed = Script(note=POISON)
            async with serving(changed, desk.port):
                await stage.decide(consent)
                await stage.ended(sent.turn_id)

            call = await desk.call(sent.turn_id)
            (row,) = await stage.all(Imported)
            assert (call.state, row.state, changed.done) == (CallState.FAILED, "changed", [])
            assert "is another than was reviewed" in (call.detail or "")
            await desk.importer.refresh()
            assert desk.importer._registry.importers() == frozenset()
