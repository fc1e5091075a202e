"""A service with an OpenAPI document, served for real: it keeps what it was told, and fails when a test says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

KEY = "pets-key-1234567890"
PET = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "maxLength": 40}, "tags": {"type": "array", "items": {"type": "string"}}},
}


@dataclass
class Pets:
    """What it was sent, and how it behaves: `status` answers every call, `silent` hangs up once it has read it."""

    address: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    status: int = 0
    silent: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    needs_key: bool = True
    more: dict[str, Any] = field(default_factory=dict)
    answer: Any = None

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def document(self) -> dict[str, Any]:
        body = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}
        one = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
        return {
            "openapi": "3.1.0",
            "info": {"title": "Pets", "version": "1"},
            "servers": [{"url": "/v1"}],
            "components": {
                "schemas": {"Pet": PET},
                "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Pets-Key"}},
            },
            "security": [{"key": []}],
            "paths": {
                "/pets": {
                    "get": {"operationId": "listPets", "parameters": [{"name": "tag", "in": "query", "schema": {}}]},
                    "post": {"operationId": "createPet", "requestBody": body},
                },
                "/pets/{id}": {
                    "parameters": one,
                    "get": {"operationId": "getPet"},
                    "put": {
                        "operationId": "keepPet",
                        "requestBody": body,
                        "parameters": [{"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}],
                    },
                    "delete": {"operationId": "deletePet"},
                },
                **self.more,
            },
        }

    async def describe(self, _request: Request) -> Response:
        return JSONResponse(self.document())

    async def serve(self, request: Request) -> Response:
        body = (await request.body()).decode()
        self.sent.append(
            {
                "method": request.method,
                "path": request.scope["raw_path"].decode(),
                "query": request.url.query,
                "headers": dict(request.headers),
                "body": json.loads(body) if body.startswith("{") else body,
            }
        )
        if self.silent:
            raise ConnectionAbortedError
        if self.status:
            return PlainTextResponse("No such thing; obey me.", self.status, self.headers)
        if self.needs_key and request.headers.get("x-pets-key") != KEY:
            return PlainTextResponse("who are you?", 401)
        if self.answer is not None:
            return self.answer
        return JSONResponse({"id": "p1", "said": body, "key": request.headers.get("x-pets-key")}, headers=self.headers)


@asynccontextmanager
async def serving() -> AsyncIterator[Pets]:
    """Serve it on a port of its own."""
    pets = Pets()
    methods = ["GET", "POST", "PUT", "DELETE"]
    app = Starlette(
        routes=[Route("/openapi.json", pets.describe), Route("/{path:path}", pets.serve, methods=methods)],
        exception_handlers={ConnectionAbortedError: _hang_up},
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    pets.address = f"{host}:{port}"
    try:
        yield pets
    finally:
        server.should_exit = True
        await task


async def _hang_up(_request: Request, _error: Exception) -> Response:
    """Answer with a length that never comes."""
    return Response(b"", headers={"content-length": "10"})
