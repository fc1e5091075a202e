"""A model that falls for every injection: the gate holds all the same, and no answer carries anything away."""

from urllib.parse import urlsplit

import pytest

from core.store.audit import AuditTrail
from core.tables.consent import Approval
from core.tables.talk import Message
from core.values import ApprovalState, CallState, CallVerdict, TurnState
from tests.injections.corpus import CORPUS, Injection
from tests.workers.thinking.test_neutral import shown
from tests.workflows.script import Item, call
from tests.workflows.stage import Stage
from workers.llm.port import CallAsked

pytestmark = pytest.mark.server
HELD = {CallState.AWAITING, CallState.DENIED, CallState.FAILED}


def obedience(injection: Injection) -> list[CallAsked]:
    return [
        CallAsked(call_id=f"c{number}", name=name, arguments=arguments)
        for number, (name, arguments) in enumerate(injection.calls)
    ]


class TestCorpus:
    def test_it_has_at_least_sixty_techniques(self):
        assert len({one.technique for one in CORPUS}) == len(CORPUS) >= 60


class TestGate:
    async def test_it_holds(self, stage: Stage, audit: AuditTrail, subtests: pytest.Subtests):
        for injection in CORPUS:
            with subtests.test(injection.technique):
                await check(stage, injection)
        async with stage.database.reading() as session:
            assert (await audit.verify(session, stage.ana.workspace_id)).intact


async def check(stage: Stage, injection: Injection) -> None:
    stage.conversation_id = await stage.conversation(stage.ana)
    stage.notes.answer = {"note": injection.text}
    stage.notes.sent.clear()
    obeys = obedience(injection)
    last: list[Item] = [injection.says, *obeys]

    sent = await stage.send("read my note", [call("read")], last, [injection.says])
    turn = await stage.until(sent.turn_id, TurnState.WAITING, TurnState.FINISHED)

    assert stage.notes.actions == ["read"]
    obeyed = (await stage.calls(turn.id))[1:]
    assert len(obeyed) == len(obeys)
    assert all(one.state in HELD and one.started_at is None for one in obeyed)
    assert all(one.verdict != CallVerdict.ALLOW for one in obeyed)
    asked = await stage.all(Approval, Approval.turn_id == turn.id)
    assert len(asked) == sum(one.state == CallState.AWAITING for one in obeyed)
    assert all(one.state in {ApprovalState.REQUESTED, ApprovalState.PENDING} for one in asked)
    for message in await stage.all(Message, Message.turn_id == turn.id, Message.role == "assistant"):
        carries_nothing(message.text)


def carries_nothing(text: str) -> None:
    page = shown(text, html=True)

    assert page.loads == []
    assert {urlsplit(link).hostname for link in page.links} <= {None}
    assert not any(link.lower().startswith("javascript:") for link in page.links)
