"""What follows a reply, on a real Temporal server: in nobody's way, once, and only when there is something to do."""

import json
from collections.abc import AsyncIterator

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from core.store import messages, outbox
from core.store.work import change
from core.tables.memory import Fact, Summary
from core.tables.talk import Message
from core.tables.work import Outbox
from tests.workflows.stage import Stage, open_stage
from tests.world import eventually
from workers.llm.errors import ModelRequestRejected

pytestmark = pytest.mark.server

LEARNT = json.dumps({"facts": ["The user lives in Riga."], "suggestions": ["What is on in Riga?"]})


@pytest.fixture
async def learning(tmp_path, sqlite_database, client, ring) -> AsyncIterator[Stage]:
    """The model is asked after each reply, too."""
    async with open_stage(tmp_path, sqlite_database, client, ring, learn_facts=True, context_tokens=200) as stage:
        async with stage.working():
            yield stage


def aside(stage: Stage, answer: str | Exception) -> None:
    """Have the model answer what it is asked aside, whatever the text is."""
    ordinary = stage.model._items
    stage.model._items = lambda request: (  # type: ignore[method-assign]
        ordinary(request) if "assistant of" in request.system else [answer]
    )


async def reflected(stage: Stage, turn_id: str) -> None:
    handle = stage.client.get_workflow_handle(f"reflect-{turn_id}")

    async def closed() -> bool:
        try:
            return (await handle.describe()).status == WorkflowExecutionStatus.COMPLETED
        except RPCError:
            return False

    await eventually(closed)


class TestReflect:
    async def test_a_fact_is_learnt_after_the_reply(self, learning: Stage):
        aside(learning, LEARNT)
        sent = await learning.send("I live in Riga", ["Nice."])
        await learning.ended(sent.turn_id)
        await reflected(learning, sent.turn_id)

        assert [row.text for row in await learning.all(Fact)] == ["The user lives in Riga."]
        reply = await learning.get(Message, messages.reply_id(sent.turn_id))
        assert reply.suggestions == ["What is on in Riga?"]
        told = await learning.told(learning.conversation_id)
        assert told[-2:] == ["turn.finished", "message.updated"]
        assert await learning.all(Outbox, Outbox.kind == outbox.REFLECT) == []

    async def test_asking_for_it_again_changes_nothing(self, learning: Stage):
        aside(learning, LEARNT)
        sent = await learning.send("I live in Riga", ["Nice."])
        await learning.ended(sent.turn_id)
        await reflected(learning, sent.turn_id)
        calls = learning.model.calls

        async with change(learning.database, learning.rooms) as work:
            outbox.put(work, outbox.REFLECT, sent.turn_id, {"turn_id": sent.turn_id, "learn": True, "sum_up": True})
            outbox.put(work, outbox.REFLECT, "another", {"turn_id": sent.turn_id, "learn": True, "sum_up": True})
        await reflected(learning, "another")

        assert learning.model.calls == calls
        assert len(await learning.all(Fact)) == 1

    async def test_a_model_that_fails_leaves_the_turn_answered(self, learning: Stage):
        aside(learning, ModelRequestRejected())
        sent = await learning.send("I live in Riga", ["Nice."])
        turn = await learning.ended(sent.turn_id)
        await reflected(learning, sent.turn_id)

        assert turn.state == "finished"
        assert await learning.terminal_events(turn.id) == ["turn.finished"]
        assert await learning.all(Fact) == []

    async def test_a_long_talk_is_summed_up(self, learning: Stage):
        aside(learning, "They talked at length.")
        for number in range(3):
            sent = await learning.send(f"{number} {'More of it. ' * 20}", ["Yes."])
            await learning.ended(sent.turn_id)
            await reflected(learning, sent.turn_id)

        found = await learning.all(Summary)
        assert found
        assert {row.text for row in found} == {"They talked at length."}

    async def test_nothing_begins_when_there_is_nothing_to_do(self, stage: Stage):
        sent = await stage.send("hi", ["Hello."])
        await stage.ended(sent.turn_id)

        assert await stage.all(Outbox, Outbox.kind == outbox.REFLECT) == []
        assert (await stage.get(Message, messages.reply_id(sent.turn_id))).suggestions is not None

    async def test_remember_is_kept_whatever_the_settings_say(self, stage: Stage):
        sent = await stage.send("remember that I like tea", ["I will."])
        await stage.ended(sent.turn_id)
        await reflected(stage, sent.turn_id)

        assert [(row.text, row.origin) for row in await stage.all(Fact)] == [("I like tea", "said")]
        assert stage.model.calls == 1
