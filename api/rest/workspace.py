"""The workspace: its name, and how much it leaves to its assistant."""

from fastapi import APIRouter
from pydantic import Field

from api.rest.context import Here, Who
from core.store import workspaces
from core.values import OperationMode, Value
from core.views import WorkspaceView

router = APIRouter(prefix="/workspace", tags=["workspace"])


class ModeOfOperation(Value):
    """The mode to run in: manual, assisted, autonomous or emergency."""

    mode: OperationMode = Field(examples=[OperationMode.ASSISTED])


@router.get("")
async def show(here: Here, who: Who) -> WorkspaceView:
    """Show the workspace."""
    async with here.database.reading() as session:
        return await workspaces.view(session, who)


@router.put("/mode")
async def change_mode(here: Here, who: Who, body: ModeOfOperation) -> WorkspaceView:
    """Run the workspace in another mode. Owners and admins may; approvers may stop everything (emergency)."""
    return await here.intake.change_mode(who, body.mode)
