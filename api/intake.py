"""The only two ways in, `submit_message` and `submit_decision`, and what people do to a turn: stop it, retry it.

What is acknowledged is committed. Temporal is told afterwards; what a crash leaves untold, the workers' relay tells.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Literal

import structlog

from api import verdicts
from api.outdated import Prospects
from connectors.registry import Registry
from core.errors import AssentError, Invalid, TooLarge, Unavailable
from core.faults import crash_point
from core.ids import Id, new_id
from core.permissions import Principal
from core.rooms import Rooms
from core.settings import Settings
from core.store import (
    approvals,
    branches,
    consents,
    conversations,
    decisions,
    lease,
    outbox,
    replaced,
    sessions,
    stops,
    submissions,
    turns,
    workspaces,
)
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.decisions import Answer, GrantWish
from core.store.submissions import NOTHING_SPECIAL, Wishes
from core.store.work import Stopped, Work, change
from core.tables.consent import Decision
from core.tables.work import Turn
from core.text import check_text
from core.values import DecisionVerdict, OperationMode, TurnState, Value
from core.views import ApprovalView, ConversationView, DoneView, TurnView, WorkspaceView
from workflows.handles import Workflows

_log = structlog.get_logger()
STARTS_AT_ONCE = 8


class Accepted(Value):
    """A message that is kept: its turn, and whether it had been sent before.

    `already_done`: what the turns that it replaces did, and what stays done.
    """

    message_id: Id
    turn_id: Id
    state: TurnState
    duplicate: bool
    already_done: tuple[DoneView, ...] = ()


class Decided(Value):
    """A decision that counts (`accepted`), or is kept and on its way (`received`)."""

    state: Literal["accepted", "received"]
    approval: ApprovalView


class Intake:
    """Takes in what people say and decide. One for each api process."""

    def __init__(
        self,
        database: Database,
        rooms: Rooms,
        workflows: Workflows,
        audit: AuditTrail,
        settings: Settings,
        registry: Registry,
    ) -> None:
        """Take what it writes to, whom it tells, and what there is to consent to."""
        self._database = database
        self._rooms = rooms
        self._workflows = workflows
        self._audit = audit
        self._settings = settings
        self._prospects = Prospects(registry)
        self._fresh = timedelta(seconds=settings.step_up_seconds)
        self._telling: set[asyncio.Task[None]] = set()
        self._starts = asyncio.Semaphore(STARTS_AT_ONCE)

    async def submit_message(
        self,
        who: Principal,
        door: str,
        conversation_id: str,
        text: str,
        client_message_id: str,
        wishes: Wishes = NOTHING_SPECIAL,
    ) -> Accepted:
        """Keep a message and begin, or queue, its turn. Raises Invalid, TooLarge, NotFound, NotAllowed, Busy."""
        self.check(text)
        async with self._change() as work:
            turn, duplicate = await submissions.add_message(
                work, who, door, conversation_id, text, client_message_id, wishes
            )
        return self._begin(turn, duplicate=duplicate)

    async def retry_turn(self, who: Principal, door: str, turn_id: str, client_message_id: str) -> Accepted:
        """Answer the message of an ended turn again, as a new turn. Raises NotFound, Conflict."""
        async with self._change() as work:
            turn, duplicate = await submissions.add_retry(work, who, door, turn_id, client_message_id)
        return self._begin(turn, duplicate=duplicate)

    async def edit_message(
        self, who: Principal, door: str, message_id: str, text: str, client_message_id: str
    ) -> Accepted:
        """Say one's own message otherwise, in a new version of the conversation. Raises as `submit_message` does."""
        self.check(text)
        async with self._change() as work:
            turn, duplicate = await branches.edit(work, who, door, message_id, text, client_message_id)
            done = await replaced.by(work.session, turn)
        return self._begin(turn, duplicate=duplicate, already_done=done)

    async def regenerate_turn(
        self, who: Principal, door: str, turn_id: str, client_message_id: str, wishes: Wishes = NOTHING_SPECIAL
    ) -> Accepted:
        """Answer a turn's message once more, in a new version of the conversation. Raises NotFound, Busy."""
        async with self._change() as work:
            turn, duplicate = await branches.regenerate(work, who, door, turn_id, client_message_id, wishes)
            done = await replaced.by(work.session, turn)
        return self._begin(turn, duplicate=duplicate, already_done=done)

    async def stop_turn(self, who: Principal, turn_id: str) -> TurnView:
        """Stop a turn at once; what it had sent already is not undone. Stopping twice is stopping once."""
        async with self._change() as work:
            return await stops.stop(work, who, turn_id)

    async def stop_conversation(
        self, who: Principal, conversation_id: str, *, queued: bool = False, waiting: bool = False
    ) -> list[TurnView]:
        """Stop what runs in a conversation, and what is `queued` or `waiting` there too. Raises NotFound."""
        wanted = [TurnState.QUEUED] * queued + [TurnState.WAITING] * waiting + [TurnState.RUNNING]
        async with self._change() as work:
            await conversations.one(work.session, who, conversation_id)
            await lease.lock_conversation(work.session, conversation_id)
            return await stops.stop_these(work, who, await stops.in_states(work.session, conversation_id, *wanted))

    async def delete_conversation(self, who: Principal, conversation_id: str) -> ConversationView:
        """Hide a conversation and stop all that is open in it, at once. Raises NotFound, NotAllowed."""
        async with self._change() as work:
            await lease.lock_conversation(work.session, conversation_id)
            await conversations.check_owned(work.session, who, conversation_id)
            await stops.stop_these(work, who, await turns.open_of(work.session, conversation_id))
            return await conversations.delete(work, self._audit, who, conversation_id)

    async def submit_decision(
        self,
        who: Principal,
        door: str,
        approval_id: str,
        verdict: DecisionVerdict,
        digest: str,
        decision_id: str,
        comment: str | None,
        arguments: dict[str, Any] | None = None,
        remember: GrantWish | None = None,
    ) -> Decided:
        """Keep a decision, then let the approval's workflow judge it.

        `arguments`: the person approves these instead; `remember`: and allows the like from now on. Raises NotFound,
        NotAllowed, AlreadyDecided, Expired, DigestMismatch, Invalid for arguments that cannot be, StepUpRequired,
        Conflict when the answer adds nothing or the request was lost; refusals are stored and audited too.
        """
        verdicts.check_edit(verdict, arguments)
        answer = Answer(
            door=door,
            approval_id=approval_id,
            update_id=verdicts.update_id(who, door, approval_id, decision_id),
            verdict=verdict,
            digest=digest,
            comment=verdicts.check_comment(comment),
            arguments=arguments,
            remember=remember,
        )
        decision = await self._receive(who, answer)
        crash_point("decision.received")
        if decision.state == decisions.RECEIVED:
            decision = await self._judge(decision)
        async with self._database.reading() as session:
            view = await approvals.one(session, who, approval_id)
        if decision.state == decisions.REFUSED:
            raise verdicts.refusal(decision.refusal or "conflict", view, decision.detail)
        return Decided(state="received" if decision.state == decisions.RECEIVED else "accepted", approval=view)

    async def _receive(self, who: Principal, answer: Answer) -> Decision:
        async with change(self._database, self._rooms) as work:
            await approvals.one(work.session, who, answer.approval_id)
            approval = await approvals.lock(work.session, answer.approval_id)
            earlier = await decisions.sent_before(work.session, answer.update_id)
            if earlier is not None:
                verdicts.check_same(earlier, answer)
                return earlier
            assurance = await sessions.assurance_of(work.session, who, self._fresh)
            answer = answer.model_copy(update={"assurance": assurance})
            made = await decisions.resolve(work.session, who, approval, answer, new_id("dec"))
            refusal, detail = verdicts.refused(who, approval, made, answer), None
            if refusal is None and answer.verdict is DecisionVerdict.APPROVE:
                edits = answer.arguments is not None
                refusal, detail = await self._prospects.refusal(work.session, approval, edits=edits)
            decision = await decisions.receive(work, self._audit, who, answer, made, refusal)
            decision.detail = detail
            return decision

    async def _judge(self, decision: Decision) -> Decision:
        try:
            verdict = await self._workflows.decide(
                decision.approval_id, decisions.as_message(decision), decision.update_id
            )
        except Unavailable:
            return decision
        async with change(self._database, self._rooms) as work:
            return await decisions.conclude(work, self._audit, decision, verdict)

    def _begin(self, turn: Turn, *, duplicate: bool, already_done: tuple[DoneView, ...] = ()) -> Accepted:
        crash_point("intake.committed")
        if turn.state == TurnState.RUNNING and not duplicate:
            self._tell(self._tell_started(turn))
        return Accepted(
            message_id=turn.message_id,
            turn_id=turn.id,
            state=TurnState(turn.state),
            duplicate=duplicate,
            already_done=already_done,
        )

    async def _tell_started(self, turn: Turn) -> None:
        async with self._starts:
            await self._workflows.start_turn(turn.id, turn.conversation_id, turn.lease_epoch, turn.max_rounds)

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[Work]:
        """Open a change; after its commit, tell the workflows of the turns that it stopped."""
        async with change(self._database, self._rooms) as work:
            yield work
        for stopped in work.stopped:
            self._tell(self._tell_stopped(stopped))

    async def _tell_stopped(self, stopped: Stopped) -> None:
        approval_ids = list(stopped.approval_ids)
        for lost in await self._workflows.stop_turn(stopped.turn_id, approval_ids, stopped.user_id):
            async with change(self._database, self._rooms) as work:
                await consents.withdraw_lost(work, self._audit, lost)
        async with self._database.writing() as session:
            await outbox.remove(session, outbox.STOP_TURN, stopped.turn_id)

    async def change_mode(self, who: Principal, mode: OperationMode) -> WorkspaceView:
        """Run the workspace in another mode, from whichever door. Raises NotAllowed."""
        async with change(self._database, self._rooms) as work:
            return await workspaces.change_mode(work, self._audit, who, mode)

    def _tell(self, telling: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(_quietly(telling))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def check(self, text: str) -> None:
        """See that a text can be taken: raises Invalid when it is blank, TooLarge."""
        size = len(_valid(text).encode())
        if size > self._settings.text_bytes:
            detail = f"The text has {size} bytes; at most {self._settings.text_bytes} are taken."
            raise TooLarge(detail)
        if not text.strip():
            detail = "The text is blank."
            raise Invalid(detail)

    async def aclose(self) -> None:
        """Wait for what is being told; the relay tells the rest."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=5)


def _valid(text: str) -> str:
    try:
        return check_text(text)
    except ValueError as error:
        raise Invalid(f"{error}.".capitalize()) from error


async def _quietly(telling: Coroutine[None, None, None]) -> None:
    try:
        await telling
    except AssentError as error:
        _log.warning("left to the relay", code=error.code)
