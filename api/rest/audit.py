"""The audit log, for owners and admins: its rows, and whether its chain holds."""

from fastapi import APIRouter

from api.rest.context import Here, Who
from api.rest.messages import Before
from api.rest.pages import Limit, Page
from core.audit import Verdict
from core.permissions import Role
from core.store import audit
from core.views import AuditView

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("")
async def list_rows(here: Here, who: Who, limit: Limit = 50, cursor: Before = None) -> Page[AuditView]:
    """List the workspace's rows, newest first."""
    who.must_be(Role.OWNER, Role.ADMIN)
    async with here.database.reading() as session:
        items, following, total = await audit.page(session, who.workspace_id, limit=limit, before=cursor)
    return Page(items=items, next=None if following is None else str(following), total=total)


@router.get("/verify")
async def verify(here: Here, who: Who) -> Verdict:
    """Check the whole chain: a change, a gap or a cut-off tail shows."""
    who.must_be(Role.OWNER, Role.ADMIN)
    async with here.database.reading() as session:
        return await here.audit.verify(session, who.workspace_id)
