"""What a service asks in the middle of a call: kept once, brought back once, never by an attempt that was replaced."""

import asyncio
from dataclasses import dataclass
from typing import Any

from connectors.base import InputRequired, PermanentFailure, Question
from core.clock import now
from core.ids import new_id
from core.messages import ApprovalInput, ApprovalOutcome
from core.store import consents
from core.store.work import change
from core.tables.consent import Approval, Decision
from core.tables.people import Workspace
from core.tables.work import CallQuestion, Intent, ToolCall
from core.values import ApprovalState, CallState, OperationMode
from tests.workers.acting.desk import Asked, Desk
from workers.acting.questions import LEG
from workers.judging.question import answer_revision

FORM = {
    "type": "object",
    "properties": {"day": {"type": "string", "description": "The day."}},
    "required": ["day"],
    "additionalProperties": False,
}


def asking(*keys: str, state: str = "s1", **more: Any) -> InputRequired:
    made = [Question(key=key, message=f"{key}?", schema_=FORM, server="Desk", **more) for key in keys or ("when",)]
    return InputRequired(made, state)


@dataclass
class Asking:
    """A call whose service asks when it is executed."""

    desk: Desk
    asked: Asked

    async def begin(self, *, attempt: int = 1, failure: Exception | None = None) -> ApprovalInput:
        self.desk.notes.failures = [failure or asking()]
        again = (await self.desk.act(self.asked, attempt=attempt)).again
        assert again is not None
        assert again.question
        return again

    async def said(
        self, request: ApprovalInput, state: ApprovalState = ApprovalState.APPROVED, day: str = "Monday"
    ) -> Asked:
        """What people answered, as the approval's workflow gives it."""
        digest, revision = request.digest, None
        if state is ApprovalState.APPROVED:
            async with self.desk.world.database.reading() as session:
                approval = await session.get_one(Approval, request.approval_id)
                revision = await answer_revision(session, approval, {"day": day})
            digest = revision["digest"]
        outcome = ApprovalOutcome(
            approval_id=request.approval_id,
            state=state,
            digest=digest,
            decision_id=new_id("dec"),
            user_id=self.desk.owner.user_id,
            at=now(),
        )
        async with change(self.desk.world.database, self.desk.world.rooms) as work:
            if revision is not None:
                row = Decision(
                    id=outcome.decision_id or "",
                    approval_id=request.approval_id,
                    user_id=self.desk.owner.user_id,
                    role="owner",
                    door="rest",
                    update_id=new_id("upd"),
                    verdict="approve",
                    digest=request.digest,
                    revision=revision,
                    created_at=now(),
                )
                work.session.add(row)
                await work.session.flush()
                outcome = outcome.model_copy(update={"revision": row.id})
            await consents.close(work, outcome)
        return Asked(self.asked.call, self.asked.turn, outcome)


async def asked_by(desk: Desk, name: str = "send") -> Asking:
    return Asking(desk, await desk.approved(name))


class TestAsking:
    async def test_lets_the_call_wait_and_gives_the_request(self, desk: Desk):
        asking_desk = await asked_by(desk)
        again = await asking_desk.begin()

        row = await desk.world.get(Approval, again.approval_id)
        assert (row.origin, row.schema_, row.arguments, row.tool_call_id) == ("question", FORM, {}, None)
        assert (await desk.state(asking_desk.asked))[0] == CallState.AWAITING
        assert (await desk.world.get(Intent, asking_desk.asked.call.id)).outcome is None

    async def test_is_asked_once_however_often_the_step_is_tried(self, desk: Desk):
        asking_desk = await asked_by(desk)
        again = await asking_desk.begin()

        second = await desk.act(asking_desk.asked, attempt=2)

        assert second.again == again
        assert len(desk.notes.sent) == 1
        assert len(await desk.world.all(Approval, Approval.origin == "question")) == 1

    async def test_of_an_attempt_that_was_replaced_is_nobodys(self, desk: Desk):
        asked = await desk.approved("put")
        desk.notes.hold, desk.notes.failures = asyncio.Event(), [asking(), asking()]
        slow = asyncio.create_task(desk.act(asked))
        await desk.notes.entered.wait()
        desk.notes.entered.clear()
        other = asyncio.create_task(desk.act(asked, attempt=2))
        await desk.notes.entered.wait()
        desk.notes.hold.set()
        first, second = await slow, await other

        assert (first.again, second.again is not None) == (None, True)
        assert len(await desk.world.all(CallQuestion)) == 1

    async def test_what_nobody_is_asked_has_its_no_at_once(self, desk: Desk):
        asking_desk = await asked_by(desk)
        failure = asking("when")
        refused = Question(key="url", message="pay", schema_=FORM, server="Desk", refused="not opened")
        failure.questions = (refused, *failure.questions)
        again = await asking_desk.begin(failure=failure)
        await desk.act(await asking_desk.said(again))

        rows = {row.key: row.answer for row in await desk.world.all(CallQuestion)}
        assert rows == {"url": "decline", "when": "accept"}


class TestGoingOn:
    async def test_brings_back_the_answer_and_the_state_once(self, desk: Desk):
        asking_desk = await asked_by(desk)
        answered = await asking_desk.said(await asking_desk.begin())

        acted = await desk.act(answered)
        again = await desk.act(answered, attempt=2)

        assert (acted.state, again.state) == (CallState.DONE, CallState.DONE)
        (given,) = [one for one in desk.notes.answers if one is not None]
        assert (given.actions, given.content, given.state) == ({"when": "accept"}, {"when": {"day": "Monday"}}, "s1")
        assert len(desk.notes.sent) == 2

    async def test_a_no_and_a_silence_go_back_too(self, desk: Desk):
        for state, word in ((ApprovalState.REJECTED, "decline"), (ApprovalState.EXPIRED, "cancel")):
            asking_desk = Asking(desk, await desk.approved("send", turn=None))
            await desk.act(await asking_desk.said(await asking_desk.begin(), state))
            given = desk.notes.answers[-1]
            assert given is not None
            assert (given.actions, given.content) == ({"when": word}, {})

    async def test_a_worker_lost_while_it_sent_leaves_an_at_most_once_call_unknown(self, desk: Desk):
        asking_desk = await asked_by(desk)
        answered = await asking_desk.said(await asking_desk.begin())
        await self.lose(desk, answered)

        acted = await desk.act(answered, attempt=2)

        assert acted.state == CallState.UNKNOWN
        assert len(desk.notes.sent) == 2

    async def test_and_has_an_idempotent_one_sent_again(self, desk: Desk):
        asking_desk = await asked_by(desk, "put")
        answered = await asking_desk.said(await asking_desk.begin())
        await self.lose(desk, answered)

        acted = await desk.act(answered, attempt=2)

        assert acted.state == CallState.DONE
        assert [one is not None for one in desk.notes.answers] == [False, True, True]
        assert (await desk.world.get(Intent, answered.call.id)).attempt == LEG + 2

    async def lose(self, desk: Desk, answered: Asked) -> None:
        """Send the answer from a worker that is lost before it could say what came of it."""
        desk.notes.hold = asyncio.Event()
        desk.notes.entered.clear()
        lost = asyncio.create_task(desk.act(answered))
        await desk.notes.entered.wait()
        lost.cancel()
        shielded = [one for one in asyncio.all_tasks() if "Actor._execute" in repr(one.get_coro())]
        for one in shielded:
            one.cancel()
        await asyncio.wait([lost, *shielded])
        desk.notes.hold = None

    async def test_an_attempt_of_before_the_question_settles_nothing_after_it(self, desk: Desk):
        asking_desk = await asked_by(desk)
        answered = await asking_desk.said(await asking_desk.begin())
        desk.notes.hold = asyncio.Event()
        desk.notes.entered.clear()
        going_on = asyncio.create_task(desk.act(answered))
        await desk.notes.entered.wait()

        old = await desk.act(asking_desk.asked, attempt=2)
        desk.notes.hold.set()

        assert (old.state, old.again) == (CallState.RUNNING, None)
        assert (await going_on).state == CallState.DONE

    async def test_may_fail_and_says_so_without_the_secrets_of_the_answer(self, desk: Desk):
        asking_desk = await asked_by(desk)
        secret = {**FORM, "properties": {"day": {"type": "string", "description": "x", "x-secret": True}}}
        failure = InputRequired([Question(key="when", message="?", schema_=secret, server="Desk")], None)
        again = await asking_desk.begin(failure=failure)
        answered = await asking_desk.said(again, day="swordfish")
        desk.notes.failures = [PermanentFailure("swordfish is wrong")]
        await desk.act(answered)

        assert await desk.state(answered) == (CallState.FAILED, "•••••• is wrong")

    async def test_does_not_happen_with_an_answer_that_nobody_gave(self, desk: Desk):
        asking_desk = await asked_by(desk)
        answered = await asking_desk.said(await asking_desk.begin())
        await desk.world.alter(Approval, answered.consent.approval_id, arguments={"day": "Friday"})
        acted = await desk.act(answered)

        assert acted.state == CallState.NOT_RUN
        assert len(desk.notes.sent) == 1

    async def test_does_not_happen_in_an_emergency(self, desk: Desk):
        asking_desk = await asked_by(desk)
        answered = await asking_desk.said(await asking_desk.begin())
        await desk.world.alter(Workspace, desk.asker.workspace_id, operation_mode=OperationMode.EMERGENCY)

        assert (await desk.act(answered)).state == CallState.NOT_RUN

    async def test_does_not_happen_with_an_action_that_changed(self, desk: Desk):
        asking_desk = await asked_by(desk)
        answered = await asking_desk.said(await asking_desk.begin())
        await desk.world.alter(ToolCall, answered.call.id, schema_digest="other")

        assert (await desk.act(answered)).state == CallState.NOT_RUN
