"""A small server that speaks the OpenAI wire format and fails as told, for the faults that real doubles cannot make.

The same answers come in the formats of Anthropic, Google and Bedrock at those providers' paths below its address.

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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import uvicorn
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.doubles import formats


class Answer(BaseModel):
    """What to answer: text in words, then calls; or a status; or a fault after `pieces` words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = ""
    calls: tuple[dict[str, Any], ...] = ()
    usage: tuple[int, int] | None = (11, 7)
    cached: int = 0
    finish: Literal["stop", "length", "content_filter"] | None = None
    refusal: str | None = None
    status: int = 200
    headers: dict[str, str] = {}
    body: Any = None
    fault: Literal["none", "disconnect", "stall", "malformed", "silent", "no finish", "error event"] = "none"
    pieces: int = 2
    delay_seconds: float = 0.0
    contains: str | None = None

    @property
    def ending(self) -> str:
        """Why the answer ends, by OpenAI's name for it."""
        return self.finish or ("tool_calls" if self.calls else "stop")


@dataclass
class Script:
    """The answers to give, and the requests that came; `ledger` keeps them in a file, one JSON line each."""

    answers: Sequence[Answer]
    ledger: Path | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _used: int = 0

    def next(self, request: dict[str, Any]) -> Answer:
        last = json.dumps(request.get("messages", request.get("contents", []))[-1:], ensure_ascii=False)
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

    def spoken(name: str, events: Callable[[Answer, str], Iterator[bytes]]) -> Callable[[Request], Awaitable[Response]]:
        async def speak(request: Request) -> Response:
            asked = await request.json()
            script.requests.append(asked | {"headers": dict(request.headers), "path": request.url.path})
            answer = script.next(asked)
            if answer.status != 200 or answer.body is not None:
                return JSONResponse(
                    answer.body or formats.error_body(name, answer.status), answer.status, answer.headers
                )
            kind = "application/vnd.amazon.eventstream" if name == "bedrock" else "text/event-stream"
            frames = events(answer, asked.get("model", "small-model"))
            return StreamingResponse(_send(script, answer, frames, name), media_type=kind)

        return speak

    async def models(request: Request) -> Response:
        answer = script.answers[0]
        script.requests.append({"headers": dict(request.headers), "path": request.url.path})
        return JSONResponse({"object": "list", "data": script.models}, answer.status, answer.headers)

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/messages", spoken("anthropic", formats.anthropic_events), methods=["POST"]),
            Route("/v1beta/models/{call:path}", spoken("google", formats.google_events), methods=["POST"]),
            Route("/model/{call:path}", spoken("bedrock", formats.bedrock_events), methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/key", models),
            Route("/v1beta/models", models),
        ]
    )


async def _send(script: Script, answer: Answer, frames: Iterator[bytes], name: str) -> AsyncIterator[bytes]:
    """Send what a format made of the answer, with its fault."""
    end = "gone"
    try:
        if answer.fault == "silent":
            await asyncio.Event().wait()
        for place, frame in enumerate(frames):
            if place >= answer.pieces and answer.fault not in {"none", "no finish"}:
                end = answer.fault
                if answer.fault == "malformed":
                    yield formats.BROKEN[name]
                elif answer.fault == "error event":
                    yield formats.FAILED[name]
                else:
                    await _fail(answer.fault)
                return
            yield frame
            await asyncio.sleep(answer.delay_seconds)
        end = "sent"
    except asyncio.CancelledError:
        end = "gone"
        raise
    finally:
        script.end(end)


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
        if "stream_options" not in asked:
            # Mistral's format has each call whole.
            whole = {"name": call["name"], "arguments": raw}
            yield _chunk(asked, {"tool_calls": [{"index": place, "id": f"call{place:05}", "function": whole}]})
            continue
        named = {"name": call["name"], "arguments": ""}
        named_call = {"index": place, "id": call.get("id", f"call_{place}"), "type": "function", "function": named}
        yield _chunk(asked, {"tool_calls": [named_call]})
        for half in (raw[: len(raw) // 2], raw[len(raw) // 2 :]):
            yield _chunk(asked, {"tool_calls": [{"index": place, "function": {"arguments": half}}]})
    if answer.fault != "no finish":
        # Mistral, which asks for no counts, has them in its last chunk.
        counts = {} if "stream_options" in asked or not answer.usage else {"usage": _usage(answer)}
        yield _chunk(asked, {"refusal": answer.refusal} if answer.refusal else {}, finish=answer.ending) | counts
    if answer.usage and asked.get("stream_options", {}).get("include_usage"):
        yield _chunk(asked, None) | {"choices": [], "usage": _usage(answer)}


def _usage(answer: Answer) -> dict[str, Any]:
    sent, got = answer.usage or (0, 0)
    usage: dict[str, Any] = {"prompt_tokens": sent, "completion_tokens": got, "total_tokens": sent + got}
    return usage | ({"prompt_tokens_details": {"cached_tokens": answer.cached}} if answer.cached else {})


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

    @property
    def root(self) -> str:
        """The address without the path of the OpenAI format."""
        return self.base_url.removesuffix("/v1")


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
