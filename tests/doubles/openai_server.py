"""A small server that speaks the OpenAI wire format and fails as told, for the faults that real doubles cannot make.

In a test: `async with serving(Script([...])) as double`. As a process:
`python -m tests.doubles.openai_server --port P --script FILE [--ledger FILE]`; the script is a JSON list of answers.
Each request takes the next answer; the last one is given again and again. With `contains`, an answer is only for
requests whose last message holds that text, and is not used up.
"""

import argparse
import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import uvicorn
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


class Answer(BaseModel):
    """What to answer: text in words, then calls; or a status; or a fault after `pieces` words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = ""
    calls: tuple[dict[str, Any], ...] = ()
    usage: tuple[int, int] | None = (11, 7)
    status: int = 200
    headers: dict[str, str] = {}
    body: Any = None
    fault: Literal["none", "disconnect", "stall", "malformed", "silent", "no finish", "error event"] = "none"
    pieces: int = 2
    delay_seconds: float = 0.0
    contains: str | None = None


@dataclass
class Script:
    """The answers to give, and the requests that came; `ledger` keeps them in a file, one JSON line each."""

    answers: Sequence[Answer]
    ledger: Path | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _used: int = 0

    def next(self, request: dict[str, Any]) -> Answer:
        last = json.dumps(request.get("messages", [])[-1:], ensure_ascii=False)
        for answer in self.answers:
            if answer.contains is not None and answer.contains in last:
                return answer
        ordered = [answer for answer in self.answers if answer.contains is None]
        self._used += 1
        return ordered[min(self._used, len(ordered)) - 1]

    def note(self, event: str, **more: Any) -> None:
        if self.ledger is not None:
            with self.ledger.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"event": event, **more}) + "\n")

    def end(self, how: str) -> None:
        self.ends.append(how)
        self.note(how)
        self.ended.set()


def application(script: Script) -> Starlette:
    """Make the server."""

    async def complete(request: Request) -> Response:
        asked = await request.json()
        script.requests.append(asked | {"headers": dict(request.headers)})
        script.note("request", number=len(script.requests), body=asked)
        answer = script.next(asked)
        if answer.status != 200 or answer.body is not None:
            return JSONResponse(answer.body or _error(answer.status), answer.status, answer.headers)
        return StreamingResponse(_stream(script, answer, asked), media_type="text/event-stream")

    async def models(request: Request) -> Response:
        answer = script.answers[0]
        return JSONResponse({"object": "list", "data": []}, answer.status, answer.headers)

    return Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"]), Route("/v1/models", models)])


def _error(status: int) -> dict[str, Any]:
    return {"error": {"message": f"secret-provider-words {status}", "type": "error", "code": None}}


async def _stream(script: Script, answer: Answer, asked: dict[str, Any]) -> AsyncIterator[bytes]:
    end = "gone"
    try:
        if answer.fault == "silent":
            await asyncio.Event().wait()
        for place, chunk in enumerate(_chunks(answer, asked)):
            if place >= answer.pieces and answer.fault not in {"none", "no finish"}:
                end = answer.fault
                yield await _fail(answer.fault)
            yield f"data: {json.dumps(chunk)}\n\n".encode()
            await asyncio.sleep(answer.delay_seconds)
        yield b"data: [DONE]\n\n"
        end = "sent"
    except asyncio.CancelledError:
        end = "gone"
        raise
    finally:
        script.end(end)


async def _fail(fault: str) -> bytes:
    if fault == "disconnect":
        raise ConnectionResetError
    if fault == "stall":
        await asyncio.Event().wait()
    if fault == "error event":
        return b'data: {"error": {"message": "secret-provider-words", "type": "server_error", "code": 500}}\n\n'
    return b'data: {"choices": [{"delta": {"content": "bro\n\n'


def _chunks(answer: Answer, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    words = answer.text.split(" ")
    for place, word in enumerate(words if answer.text else []):
        yield _chunk(asked, {"content": word if place == 0 else f" {word}"})
    for place, call in enumerate(answer.calls):
        arguments = call.get("arguments", {})
        raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
        named = {"name": call["name"], "arguments": ""}
        named_call = {"index": place, "id": call.get("id", f"call_{place}"), "type": "function", "function": named}
        yield _chunk(asked, {"tool_calls": [named_call]})
        for half in (raw[: len(raw) // 2], raw[len(raw) // 2 :]):
            yield _chunk(asked, {"tool_calls": [{"index": place, "function": {"arguments": half}}]})
    if answer.fault != "no finish":
        yield _chunk(asked, {}, finish="tool_calls" if answer.calls else "stop")
    if answer.usage and asked.get("stream_options", {}).get("include_usage"):
        sent, got = answer.usage
        usage = {"prompt_tokens": sent, "completion_tokens": got, "total_tokens": sent + got}
        yield _chunk(asked, None) | {"choices": [], "usage": usage}


def _chunk(asked: dict[str, Any], delta: dict[str, Any] | None, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": asked.get("model")}
    return common | {"choices": [choice]}


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class Double:
    """A running server."""

    base_url: str
    script: Script


@contextlib.asynccontextmanager
async def serving(script: Script, port: int = 0) -> AsyncIterator[Double]:
    """Serve the script on a free port of the loopback until the block ends."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        config = uvicorn.Config(application(script), log_level=60, lifespan="off", timeout_graceful_shutdown=1)
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield Double(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", script)
        finally:
            server.should_exit = True
            await task


async def _run(script: Script, port: int) -> None:
    async with serving(script, port) as double:
        print(double.base_url, flush=True)  # noqa: T201 - the caller reads the address
        await asyncio.Event().wait()


def main() -> None:
    """Serve a script file until killed; prints the base URL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--ledger", type=Path)
    given = parser.parse_args()
    answers = [Answer.model_validate(one) for one in json.loads(given.script.read_text(encoding="utf-8"))]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(Script(answers, given.ledger), given.port))


if __name__ == "__main__":
    main()
