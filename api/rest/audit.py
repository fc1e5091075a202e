"""The audit log, for owners and admins: its rows, whether its chain holds, the whole of it. Reading is audited too."""

import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, Field

from api.rest.context import Context, Here, Who
from api.rest.messages import Before
from api.rest.pages import Limit, Page
from core.audit import Head, Verdict
from core.permissions import Principal, Role
from core.store import audit
from core.store.audit import Only
from core.store.work import change
from core.text import SafeStr
from core.values import Value
from core.views import AuditView

router = APIRouter(prefix="/audit", tags=["audit"])

_MOST_HEADS = 10_000
_Word = Annotated[SafeStr | None, Query(max_length=200)]
_Time = Annotated[AwareDatetime | None, Query()]


class Published(Value):
    """Heads of chains as they were published, to compare with."""

    heads: Annotated[tuple[Head, ...], Field(max_length=_MOST_HEADS)] = Field(
        examples=[[{"workspace_id": "wks_1", "number": 240, "mac": "9c1f", "at": "2026-11-20T18:00:00Z"}]]
    )


@router.get("")
async def list_rows(
    here: Here,
    who: Who,
    limit: Limit = 50,
    cursor: Before = None,
    kind: _Word = None,
    actor: _Word = None,
    subject: _Word = None,
    since: _Time = None,
    until: _Time = None,
) -> Page[AuditView]:
    """List the workspace's rows, newest first. `kind` takes what begins with it, as `approval`."""
    who.must_be(Role.OWNER, Role.ADMIN)
    only = Only(kind=kind, actor=actor, subject=subject, since=since, until=until)
    async with here.database.reading() as session:
        items, following, total = await audit.page(session, who.workspace_id, limit=limit, before=cursor, only=only)
    await _note(here, who, "audit.read", before=cursor, rows=len(items), only=only.model_dump(mode="json"))
    return Page(items=items, next=None if following is None else str(following), total=total)


@router.get("/verify")
async def verify(here: Here, who: Who) -> Verdict:
    """Check the whole chain: a change, a gap or a cut-off tail shows."""
    return await _verified(here, who, ())


@router.post("/verify")
async def verify_against(here: Here, who: Who, body: Published) -> Verdict:
    """Check the whole chain, and that it has all that was published: lines of the file that heads are published to."""
    return await _verified(here, who, body.heads)


async def _verified(here: Context, who: Principal, heads: tuple[Head, ...]) -> Verdict:
    who.must_be(Role.OWNER, Role.ADMIN)
    async with here.database.reading() as session:
        verdict = await here.audit.verify(session, who.workspace_id, heads)
    await _note(here, who, "audit.verified", intact=verdict.intact, broken_at=verdict.broken_at, rows=verdict.rows)
    return verdict


@router.get("/export", response_class=StreamingResponse)
async def export(here: Here, who: Who) -> StreamingResponse:
    """Write the whole chain, oldest row first: one JSON object a line, with all that its HMAC covers."""
    who.must_be(Role.OWNER, Role.ADMIN)
    await _note(here, who, "audit.exported")
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"', "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(_lines(here, who.workspace_id), media_type="application/jsonl", headers=headers)


async def _lines(here: Context, workspace_id: str) -> AsyncIterator[str]:
    """Read page by page, so that a slow reader holds no session."""
    last = 0
    while True:
        async with here.database.reading() as session:
            rows = await audit.exported(session, workspace_id, last)
        if not rows:
            return
        yield "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        last = rows[-1]["number"]


async def _note(here: Context, who: Principal, kind: str, **facts: object) -> None:
    async with change(here.database, here.rooms) as work:
        await here.audit.record(work, who.workspace_id, who.user_id, kind, who.workspace_id, **facts)
