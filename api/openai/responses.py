"""Answers in the format of /v1/responses: whole, or as numbered events."""

import itertools
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from api.openai.chat import ALIVE, sse
from api.openai.desk import Desk, Submitted
from api.openai.errors import of_error
from api.openai.follow import Done, Quiet, Standing, Step
from api.openai.telling import Telling
from api.openai.told import check_answered, extension, failure_of, notices, piece_of, used_by
from core.errors import AssentError
from core.values import TurnState

_STATUS = {
    TurnState.QUEUED: "queued",
    TurnState.RUNNING: "in_progress",
    TurnState.WAITING: "in_progress",
    TurnState.FINISHED: "completed",
    TurnState.FAILED: "failed",
    TurnState.STOPPED: "cancelled",
}


def response_id(turn_id: str) -> str:
    """Name the response that a turn is."""
    return "resp_" + turn_id.removeprefix("trn_")


def turn_id_of(name: str) -> str:
    """Give the turn that a response is."""
    return "trn_" + name.removeprefix("resp_")


@dataclass(frozen=True)
class Reply:
    """What stays the same over all states of one response. `base` is the address for links."""

    desk: Desk
    submitted: Submitted
    model: str
    base: str
    instructions: str | None = None
    previous: str | None = None
    background: bool = False
    created: float = field(default_factory=lambda: float(int(time.time())))

    async def whole(self, standing: Standing, *, is_end: bool = False) -> dict[str, Any]:
        """Give the response as it stands; `is_end`: it is told as over, though it may wait for people."""
        telling = Telling()
        telling.go_on(standing.text, is_final=True)
        if standing.waits_for:
            telling.put_in(notices(standing.waits_for, self.base))
        status = self._status(standing, is_end=is_end)
        output = [self._item(telling.whole, _item_status(status))] if telling.whole else []
        return await self._object(status, standing, output)

    async def answered(self, standing: Standing) -> dict[str, Any]:
        """Give the answer to whoever waited for it. Raises what stands in its way."""
        check_answered(standing)
        return await self.whole(standing, is_end=True)

    async def events(self, steps: AsyncIterator[Step], first: Standing) -> AsyncIterator[bytes]:
        """Give the response as server-sent events; what goes wrong on the way is the last of them."""
        numbers, telling = itertools.count(), Telling()
        opening = await self._object("in_progress", first, [])
        yield _event("response.created", numbers, response=opening)
        yield _event("response.in_progress", numbers, response=opening)
        for event in self._opened(numbers):
            yield event
        try:
            async for step in steps:
                if isinstance(step, Quiet):
                    yield ALIVE
                elif isinstance(step, Done):
                    async for event in self._ended(numbers, telling, step.standing):
                        yield event
                elif piece := piece_of(telling, step, self.base):
                    yield self._delta(numbers, piece)
        except AssentError as error:
            shown = of_error(error)
            yield _event("error", numbers, code=shown["code"], message=shown["message"], param=shown["param"])

    def _opened(self, numbers: Iterator[int]) -> Iterator[bytes]:
        yield _event("response.output_item.added", numbers, output_index=0, item=self._item(None, "in_progress"))
        yield _event("response.content_part.added", numbers, **self._place(), part=_part(""))

    async def _ended(self, numbers: Iterator[int], telling: Telling, standing: Standing) -> AsyncIterator[bytes]:
        if piece := telling.go_on(standing.text, is_final=standing.state.is_terminal):
            yield self._delta(numbers, piece)
        status = self._status(standing, is_end=True)
        item = self._item(telling.whole, _item_status(status))
        place = self._place()
        yield _event("response.output_text.done", numbers, **place, text=telling.whole, logprobs=[])
        yield _event("response.content_part.done", numbers, **place, part=_part(telling.whole))
        yield _event("response.output_item.done", numbers, output_index=0, item=item)
        kind = {"completed": "completed", "failed": "failed"}.get(status, "incomplete")
        yield _event(f"response.{kind}", numbers, response=await self._object(status, standing, [item]))

    def _delta(self, numbers: Iterator[int], piece: str) -> bytes:
        return _event("response.output_text.delta", numbers, **self._place(), delta=piece, logprobs=[])

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._item_id, "output_index": 0, "content_index": 0}

    @property
    def _item_id(self) -> str:
        return "msg_" + self.submitted.turn_id.removeprefix("trn_")

    def _item(self, text: str | None, status: str) -> dict[str, Any]:
        content = [] if text is None else [_part(text)]
        return {"id": self._item_id, "type": "message", "role": "assistant", "status": status, "content": content}

    def _status(self, standing: Standing, *, is_end: bool) -> str:
        if is_end and not standing.state.is_terminal:
            return "incomplete"
        return _STATUS[standing.state]

    async def _object(self, status: str, standing: Standing, output: list[dict[str, Any]]) -> dict[str, Any]:
        failed = failure_of(standing.turn.error) if standing.state is TurnState.FAILED else None
        ended = standing.turn.ended_at
        return {
            "id": response_id(self.submitted.turn_id),
            "object": "response",
            "created_at": standing.turn.created_at.timestamp(),
            "completed_at": ended.timestamp() if ended and status == "completed" else None,
            "status": status,
            "background": self.background,
            "error": {"code": of_error(failed)["code"], "message": failed.detail} if failed else None,
            "incomplete_details": {"reason": "approval_required"} if status == "incomplete" else None,
            "instructions": self.instructions,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": self.previous,
            "conversation": {"id": self.submitted.conversation_id},
            "store": True,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "truncation": "disabled",
            "temperature": None,
            "top_p": None,
            "max_output_tokens": None,
            "usage": await self._used() if standing.state.is_terminal or standing.waits_for else None,
            "metadata": {"conversation_id": self.submitted.conversation_id, "turn_id": self.submitted.turn_id},
            "assent": extension(self.submitted, standing, self.base),
        }

    async def _used(self) -> dict[str, Any] | None:
        return await used_by(self.desk, self.submitted.turn_id, "input", "output")


def _item_status(status: str) -> str:
    if status == "completed":
        return status
    return "in_progress" if status in {"queued", "in_progress"} else "incomplete"


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _event(kind: str, numbers: Iterator[int], **members: Any) -> bytes:
    return sse({"type": kind, "sequence_number": next(numbers), **members}, kind)
