"""What a chat sends, beside the reading of events; answers and errors come back as items of the same queue."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from cli.talk.approvals import decide, is_settled
from cli.talk.ending import ServerError
from cli.talk.line import Joined, Line
from cli.talk.server import Server
from core import events
from core.errors import AssentError
from core.values import ApprovalState, DecisionVerdict, TurnState
from core.views import ApprovalView, MessageView, PartialView, TurnView


@dataclass(frozen=True)
class Sent:
    """The server has the message, and this turn answers it; `already_done`: what replaced turns did, and stays done."""

    turn_id: str
    message_id: str
    already_done: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """What was sent had no effect; `approval` when it was a decision on it, `is_message` when it was said."""

    error: AssentError
    approval: ApprovalView | None = None
    is_message: bool = False


@dataclass(frozen=True)
class Kept:
    """The decision is stored, and its workflow could not be reached yet."""


Answered = Sent | Refused | Kept | Joined | events.DurableEvent


class Sender:
    """Sends over the line and the REST API; each call returns at once."""

    def __init__(self, server: Server, line: Line, conversation_id: str, put: Callable[[Answered], None]) -> None:
        """Bring answers to `put`."""
        self._server = server
        self._line = line
        self._conversation_id = conversation_id
        self._put = put
        self._running: set[asyncio.Task[None]] = set()

    def say(self, text: str) -> None:
        """Send a message under an id of its own: however often it is sent, it is one turn."""
        self._begin("message.send", {"conversation_id": self._conversation_id, "text": text})

    def edit(self, message_id: str, text: str) -> None:
        """Say a message otherwise."""
        self._begin("message.edit", {"message_id": message_id, "text": text})

    def regenerate(self, turn_id: str) -> None:
        """Ask for another answer."""
        self._begin("turn.regenerate", {"turn_id": turn_id})

    def _begin(self, event: str, body: dict[str, str]) -> None:
        once = {"client_message_id": f"cli-{uuid.uuid4()}"}

        async def work() -> None:
            try:
                accepted = await self._line.call(event, body | once)
            except AssentError as error:
                self._put(Refused(error, is_message=True))
            else:
                done = tuple(one["action"] for one in accepted.get("already_done", ()))
                self._put(Sent(accepted["turn_id"], accepted["message_id"], done))

        self._run(work())

    def stop(self, turn_id: str) -> None:
        """Stop a turn."""

        async def work() -> None:
            await self._line.call("turn.stop", {"turn_id": turn_id})

        self._run(work())

    def decide(self, approval: ApprovalView, verdict: DecisionVerdict, comment: str | None) -> None:
        """Send a decision for what `approval` shows."""

        async def work() -> None:
            try:
                answer = await decide(self._server, approval, verdict, comment)
            except ServerError as error:
                self._put(Refused(error, None if is_settled(error) else approval))
            else:
                if ApprovalState(answer["approval"]["state"]).is_open:
                    self._put(Kept())

        self._run(work())

    def fetch_partial(self) -> None:
        """Get the text that was missed."""

        async def work() -> None:
            joined = await self._line.call("conversation.join", {"conversation_id": self._conversation_id})
            if joined.get("partial"):
                self._put(Joined(fresh=False, partial=PartialView.model_validate(joined["partial"])))

        self._run(work())

    def catch_up(self, turn_id: str) -> None:
        """Learn what no event told, since the events of a time are lost: how the turn is, and what it asks."""

        async def work() -> None:
            turn = TurnView.model_validate(await self._server.get(f"/turns/{turn_id}"))
            if TurnState(turn.state).is_terminal:
                self._put(await self._ending(turn))
                return
            page = await self._server.get("/approvals", state="pending", limit=50)
            for item in page["items"]:
                approval = ApprovalView.model_validate(item)
                if approval.turn_id == turn_id:
                    self._put(events.ApprovalRequested(approval=approval))
            if turn.state == TurnState.WAITING:
                self._put(events.TurnWaiting(turn=turn))

        self._run(work())

    def fetch_reply(self, turn: TurnView) -> None:
        """Get an answer that was too long for its event."""

        async def work() -> None:
            self._put(await self._ending(turn))

        self._run(work())

    def drop(self) -> None:
        """Wait for no answer any more."""
        for task in self._running:
            task.cancel()

    async def _ending(self, turn: TurnView) -> events.DurableEvent:
        page = await self._server.get(f"/conversations/{self._conversation_id}/messages", limit=50)
        found = (MessageView.model_validate(item) for item in page["items"])
        reply = next((one for one in found if one.turn_id == turn.id and one.role == "assistant"), None)
        if turn.state == TurnState.FINISHED and reply is not None:
            return events.TurnFinished(turn=turn, message=reply)
        kind = events.TurnStopped if turn.state == TurnState.STOPPED else events.TurnFailed
        return kind(turn=turn, message=reply)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        async def guarded() -> None:
            try:
                await work
            except AssentError as error:
                self._put(Refused(error))

        task = asyncio.create_task(guarded())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
