"""A server of recorded answers behind the real page: what the page sends is kept, what a test wants happens."""

import asyncio
import socket
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import socketio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from api.page.serve import routes
from core.clock import now

AT = now().isoformat().replace("+00:00", "Z")
ME = {"id": "usr_1", "name": "Ana", "email": "ana@example.com", "role": "owner", "workspace_id": "wks_1"}
CONVERSATION = {
    "id": "cnv_1", "title": "Groceries", "mode": "full", "origin_channel": "web", "owner_id": "usr_1",
    "created_at": AT, "updated_at": AT, "deleted_at": None,
}  # fmt: skip


def message(
    number: int, text: str, role: str = "user", turn: str = "trn_1", client: str | None = None
) -> dict[str, Any]:
    return {
        "id": f"msg_{number}", "conversation_id": "cnv_1", "turn_id": turn, "position": number, "role": role,
        "author_id": "usr_1" if role == "user" else None, "text": text, "text_cut": False, "message_type": "text",
        "channel": "web", "client_message_id": client, "model": None, "usage": None, "response_time_ms": None,
        "created_at": AT,
    }  # fmt: skip


def turn(state: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": f"trn_{number}", "conversation_id": "cnv_1", "message_id": "msg_1", "user_id": "usr_1", "state": state,
        "attempt": 1, "retry_of": None, "error": None, "created_at": AT, "started_at": AT, "ended_at": None,
    } | more  # fmt: skip


def call(state: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "cal_1", "turn_id": "trn_1", "round": 1, "place": 0, "action": "tasks.delete",
        "arguments": {"title": "Buy milk"}, "risk": "destructive", "effect": "at_most_once", "verdict": "ask",
        "rule": "destructive actions ask an owner", "state": state, "result": None, "result_cut": False,
        "detail": None, "approval_id": "apr_1", "created_at": AT, "started_at": None, "ended_at": None,
    } | more  # fmt: skip


SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}, "days": {"type": "integer"}}}


def approval(state: str = "pending", **more: Any) -> dict[str, Any]:
    return {
        "id": "apr_1", "tool_call_id": "cal_1", "turn_id": "trn_1", "conversation_id": "cnv_1",
        "requester_id": "usr_1", "action": "tasks.delete", "risk": "destructive",
        "title": "Delete a task", "arguments": {"title": "Buy milk"}, "arguments_cut": False,
        "deciders": [{"user_id": "usr_1", "name": "Ana"}],
        "preview": {
            "summary": "Delete the task Buy milk", "reversible": False, "warnings": [],
            "changes": [{"label": "Buy milk", "before": "open", "after": None}],
        },
        "reason": "You asked me to delete it.", "plan": {"stages": [{"needs": [{"party": {"roles": ["owner"]}}]}]},
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "state": state,
        "expires_at": (now() + timedelta(hours=23)).isoformat(), "created_at": AT, "decided_by": None,
        "decided_by_name": None, "decided_at": None, "comment": None,
    } | more  # fmt: skip


def vote(user: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "decision_id": f"dec_{user}", "user_id": user, "name": name, "in_place_of": None, "verdict": "approve",
        "door": "telegram", "assurance": "L2", "stage": 0, "comment": None, "at": now().isoformat(),
    } | more  # fmt: skip


def service(**more: Any) -> dict[str, Any]:
    outside: dict[str, Any] = {"origin": "service", "conversation_id": None, "turn_id": None, "tool_call_id": None}
    return approval(**outside, requester_id="usr_9", requester_name="deploy-bot", **more)


WORKSPACE = {
    "id": "wks_1", "name": "Shop", "operation_mode": "assisted", "mode_changed_at": None, "mode_changed_by": None,
    "mode_changed_by_name": None,
}  # fmt: skip
LISTS = ("tool-calls", "grants", "delegations", "identities", "channels", "users")


def page(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": items, "next": None, "total": len(items)}


class Stage:
    """Holds the state that the page fetches, and sends the events of a test."""

    def __init__(self) -> None:
        self.url = ""
        self.needs_owner = False
        self.conversations: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.turns: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = []
        self.approvals: list[dict[str, Any]] = []
        self.branches: list[dict[str, Any]] = []
        self.versions: list[dict[str, Any]] = []
        self.recalls: dict[str, dict[str, Any]] = {}
        self.already_done: list[dict[str, Any]] = []
        self.lists: dict[str, list[dict[str, Any]]] = {}  # what else is fetched, by path
        self.workspace: dict[str, Any] = WORKSPACE
        self.me: dict[str, Any] = ME
        self.answers: dict[str, list[tuple[int, Any]]] = {}  # by method and path, each given once, in this order
        self.active_branch: str | None = None
        self.strangers = False  # the person takes no part in the conversation
        self.received: list[tuple[str, Any]] = []
        self.drops = 0  # messages that are taken and whose answer is lost
        self.seq = 0
        self.sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
        self.sio.on("connect", self._connect)
        self.sio.on("*", self._event)

    async def _connect(self, sid: str, _: Any, auth: dict[str, Any]) -> None:
        self.received.append(("connect", auth))
        inbox = {"stream": "mbr_1", "epoch": "ep_1", "last_seq": self.seq}
        greeting = {"user": self.me, "workspace_id": "wks_1", "inbox": inbox, "offline_model": True}
        asyncio.get_running_loop().call_soon(
            lambda: asyncio.ensure_future(self.sio.emit("connected", greeting, to=sid))
        )

    async def _event(self, name: str, sid: str, data: Any) -> Any:
        self.received.append((name, data))
        if name == "conversation.join" and self.strangers:
            return {"ok": False, "error": {"code": "not_found", "detail": "Not there."}}
        if name == "message.send" and self.drops:
            self.drops -= 1
            await self.sio.disconnect(sid)
            return None
        if name in {"message.send", "message.edit", "turn.regenerate"}:
            found = {"message_id": "msg_1", "turn_id": "trn_1", "state": "running", "duplicate": False}
            return {"ok": True, "data": found}
        return {"ok": True, "data": {"epoch": "ep_1", "last_seq": self.seq, "partial": None}}

    async def happen(self, kind: str, *, stream: str = "cnv_1", **event: Any) -> None:
        """Send a durable event."""
        self.seq += 1
        body = {"type": kind} | event
        await self.sio.emit(kind, {"stream": stream, "epoch": "ep_1", "seq": self.seq, "at": AT, "event": body})

    async def delta(self, offset: int, text: str) -> None:
        """Send a piece of text."""
        body = {"type": "turn.delta", "conversation_id": "cnv_1", "turn_id": "trn_1", "attempt": 1}
        await self.sio.emit("turn.delta", body | {"offset": offset, "text": text})

    async def got(self, name: str, times: int = 1) -> Any:
        """Wait until the page or the command line has sent this so many times; give what it sent then."""
        async with asyncio.timeout(20):
            while len(sent := self.sent(name)) < times:
                await asyncio.sleep(0.01)
        return sent[times - 1]

    async def ask(self, one: dict[str, Any]) -> None:
        """Let a request for consent come into the inbox."""
        self.approvals = [one]
        await self.happen("approval.requested", stream="mbr_1", approval=one)

    def sent(self, name: str) -> list[Any]:
        """Give all that was sent so."""
        return [data for known, data in self.received if known == name]

    async def drop(self) -> None:
        """Cut every connection."""
        for sid in list(self.sio.manager.get_participants("/", None)):
            await self.sio.disconnect(sid[0])

    async def answer(self, request: Request) -> JSONResponse:
        path, method = request.url.path.removeprefix("/api/v1"), request.method
        body = await request.json() if method in {"POST", "PATCH", "PUT"} and await request.body() else None
        if method != "GET":
            self.received.append((f"{method} {path}", body))
        if self.answers.get(f"{method} {path}"):
            status, said = self.answers[f"{method} {path}"].pop(0)
            return JSONResponse(said, status)
        if path.endswith("/decision") and body:
            state = {"approve": "approved", "reject": "rejected"}[body["verdict"]]
            decided = approval(state, decided_by="usr_1", decided_by_name="Ana", comment=body["comment"])
            return JSONResponse({"state": "accepted", "approval": decided})
        if path == "/approvals/decisions":
            answers = [
                {"approval_id": one["approval_id"], "decided": {"state": "accepted", "approval": approval("approved")}}
                | {"problem": None}
                for one in body or ()
            ]
            return JSONResponse(answers)
        if path.endswith("/recall"):
            return JSONResponse(self.recalls.get(path.split("/")[2]))
        if path.endswith(("/edit", "/regenerate")):
            found = {"message_id": "msg_1", "turn_id": "trn_1", "state": "running", "duplicate": False}
            return JSONResponse(found | {"already_done": self.already_done}, 202)
        if path.removeprefix("/") in LISTS:
            return JSONResponse(page(self.lists.get(path.removeprefix("/"), [])))
        if path == "/approvals" and request.query_params.get("mine"):
            return JSONResponse(page([one for one in self.approvals if one["state"] == "pending"]))
        known = self._known(path)
        return JSONResponse(known) if known else JSONResponse({"code": "not_found", "detail": "Not there."}, 404)

    def _known(self, path: str) -> Any:
        signed = {"access_token": "a", "refresh_token": "r", "expires_in": 900, "user": ME}
        known: dict[str, Any] = {
            "/workspace": self.workspace,
            "/setup": {"needed": self.needs_owner} | signed,
            "/auth/sign-in": signed,
            "/auth/refresh": signed,
            "/turns/trn_1": self.turns[0] if self.turns else None,
            "/approvals/apr_1": self.approvals[0] if self.approvals else None,
            "/conversations": page(self.conversations),
            "/approvals": page(self.approvals),
            "/connectors": page([{"id": "tasks", "actions": [{"name": "tasks.delete", "schema": SCHEMA}]}]),
            "/conversations/cnv_1/branches/trunk/activate": CONVERSATION,
            "/modes": page([{"name": name, "title": name.title()} for name in ("full", "quick")]),
            "/conversations/cnv_1": CONVERSATION | {"active_branch_id": self.active_branch},
            "/conversations/cnv_1/branches": page(self.branches),
            "/messages/msg_1/versions": page(self.versions),
            "/messages/msg_5/versions": page(self.versions),
            "/conversations/cnv_1/messages": page(self.messages),
            "/conversations/cnv_1/turns": page(self.turns),
            "/conversations/cnv_1/calls": page(self.calls),
        }
        return known.get(path)


@asynccontextmanager
async def open_stage():
    """Serve a stage on a free port."""
    stage = Stage()
    api = Route("/api/v1/{rest:path}", stage.answer, methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
    app = socketio.ASGIApp(stage.sio, other_asgi_app=Starlette(routes=[*routes(), api]))
    taken = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="websockets-sansio"))
    serving = asyncio.create_task(server.serve(sockets=[taken]))
    stage.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    try:
        yield stage
    finally:
        server.should_exit = True
        await stage.sio.shutdown()
        await serving
        taken.close()
