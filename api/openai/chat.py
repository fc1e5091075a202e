"""Answers in the format of /v1/chat/completions: whole, or as chunks."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from api.openai.desk import Desk, Submitted
from api.openai.errors import of_error
from api.openai.follow import Done, Quiet, Standing, Step, Waits
from api.openai.telling import Telling
from api.openai.told import check_answered, extension, notices, piece_of, used_by
from core.errors import AssentError

DONE = b"data: [DONE]\n\n"
ALIVE = b": still there\n\n"


@dataclass(frozen=True)
class Completion:
    """What stays the same over all parts of one answer. `base` is the address for links."""

    desk: Desk
    submitted: Submitted
    model: str
    base: str
    include_usage: bool = False
    created: int = field(default_factory=lambda: int(time.time()))

    async def whole(self, standing: Standing) -> dict[str, Any]:
        """Give the answer in one piece. Raises what stands in its way."""
        check_answered(standing)
        telling = Telling()
        telling.go_on(standing.text, is_final=True)
        if standing.waits_for:
            telling.put_in(notices(standing.waits_for, self.base))
        message = {"role": "assistant", "content": telling.whole, "refusal": None}
        answer = self._object("chat.completion", standing)
        answer["choices"] = [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]
        used = await self._used()
        return answer | ({"usage": used} if used else {})

    async def chunks(self, steps: AsyncIterator[Step]) -> AsyncIterator[bytes]:
        """Give the answer as server-sent events; what goes wrong on the way is the last of them."""
        telling = Telling()
        yield self._chunk({"role": "assistant", "content": ""})
        try:
            async for step in steps:
                if isinstance(step, Done):
                    async for part in self._last(telling, step.standing):
                        yield part
                elif isinstance(step, Quiet):
                    yield ALIVE
                elif piece := piece_of(telling, step, self.base):
                    yield self._chunk({"content": piece}, step.standing if isinstance(step, Waits) else None)
        except AssentError as error:
            yield sse({"error": of_error(error)})
        yield DONE

    async def _last(self, telling: Telling, standing: Standing) -> AsyncIterator[bytes]:
        if piece := telling.go_on(standing.text, is_final=standing.state.is_terminal):
            yield self._chunk({"content": piece})
        check_answered(standing)
        yield self._chunk({}, standing, finish="stop")
        if self.include_usage:
            yield sse(self._object("chat.completion.chunk", None) | {"choices": [], "usage": await self._used()})

    def _chunk(self, delta: dict[str, Any], standing: Standing | None = None, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return sse(self._object("chat.completion.chunk", standing) | {"choices": [choice]})

    def _object(self, kind: str, standing: Standing | None) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.submitted.turn_id.removeprefix('trn_')}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "assent": extension(self.submitted, standing, self.base),
        }

    async def _used(self) -> dict[str, Any] | None:
        return await used_by(self.desk, self.submitted.turn_id, "prompt", "completion")


def sse(data: dict[str, Any], name: str | None = None) -> bytes:
    """Write one server-sent event."""
    event = f"event: {name}\n" if name else ""
    return f"{event}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
