"""Memory as a whole, for owners and admins: how it is, building its index anew, comparing it with SQL."""

from fastapi import APIRouter, status

from api.rest.context import Here, Who
from core.errors import Unavailable
from core.messages import MemoryVerdict
from core.permissions import Principal, Role
from core.store import memory_status
from core.views import MemoryView

router = APIRouter(prefix="/memory", tags=["memory"])


@router.get("")
async def get_memory(here: Here, who: Who) -> MemoryView:
    """Tell how memory is; while its index is built, how far that is."""
    _check(who)
    async with here.database.reading() as session:
        return await memory_status.view(session)


@router.post("/rebuild", status_code=status.HTTP_202_ACCEPTED)
async def rebuild_memory(here: Here, who: Who) -> MemoryView:
    """Build the index anew from what was said; the old one answers meanwhile. `GET /memory` tells how far it is."""
    _check(who)
    async with here.database.reading() as session:
        view = await memory_status.view(session)
    if not here.settings.memory or view.state == "off":
        raise Unavailable(view.sentence if view.state == "off" else "Memory is off: ASSENT_MEMORY is false.")
    await here.memory.wake("rebuild")
    return view


@router.post("/verify")
async def verify_memory(here: Here, who: Who) -> MemoryVerdict:
    """Compare the index with SQL: the numbers of rows, and some rows one by one."""
    _check(who)
    if not here.settings.memory:
        message = "Memory is off: ASSENT_MEMORY is false."
        raise Unavailable(message)
    return await here.memory.verify()


def _check(who: Principal) -> None:
    who.must_be(Role.OWNER, Role.ADMIN)
