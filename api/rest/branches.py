"""Versions of a conversation: a message edited, an answer made anew, the earlier ones shown again."""

from fastapi import APIRouter, status
from pydantic import Field

from api.intake import Accepted
from api.rest.context import Here, PathId, Through, Who
from api.rest.pages import Limit, Page
from core.ids import ClientId
from core.store import branches
from core.store.submissions import ModelName, ModeName, Wishes
from core.store.work import change
from core.text import SafeStr
from core.values import Value
from core.views import BranchView, ConversationView, VersionView

router = APIRouter(tags=["branches"])


class Edit(Value):
    """What you say instead. Sent twice under the same client id, it is one edit."""

    text: SafeStr = Field(examples=["Add a task: Buy bread"])
    client_message_id: ClientId = Field(examples=["4f7c2a0e-3"])


class Regenerate(Value):
    """Sent twice under the same client id, it is one new answer."""

    client_message_id: ClientId = Field(examples=["4f7c2a0e-4"])
    mode: ModeName | None = None
    model: ModelName | None = None


@router.post("/messages/{message_id}/edit", status_code=status.HTTP_202_ACCEPTED)
async def edit(here: Here, who: Who, door: Through, message_id: PathId, body: Edit) -> Accepted:
    """Say one of your own messages otherwise, in a new version that is shown from then on; the earlier one is kept.

    What runs in the part left behind is stopped. `already_done` lists what it did: that is not undone, nor repeated
    unasked.
    """
    await here.limits.check("message", who.user_id)
    return await here.intake.edit_message(who, door, message_id, body.text, body.client_message_id)


@router.post("/turns/{turn_id}/regenerate", status_code=status.HTTP_202_ACCEPTED)
async def regenerate(here: Here, who: Who, door: Through, turn_id: PathId, body: Regenerate) -> Accepted:
    """Answer a message once more, in a new version that is shown from then on; as an edit to the same words."""
    await here.limits.check("message", who.user_id)
    wishes = Wishes(mode=body.mode, model=body.model)
    return await here.intake.regenerate_turn(who, door, turn_id, body.client_message_id, wishes)


@router.get("/messages/{message_id}/versions")
async def list_versions(here: Here, who: Who, message_id: PathId) -> Page[VersionView]:
    """List all that was said, and answered, in place of a message, oldest first."""
    async with here.database.reading() as session:
        found = await branches.versions(session, who, message_id)
    return Page(items=found, next=None, total=len(found))


@router.get("/conversations/{conversation_id}/branches")
async def list_branches(here: Here, who: Who, conversation_id: PathId, limit: Limit = 50) -> Page[BranchView]:
    """List the newest versions beside the first, which is called `trunk`, oldest first."""
    async with here.database.reading() as session:
        found, total = await branches.of_conversation(session, who, conversation_id, limit)
    return Page(items=found, next=None, total=total)


@router.post("/conversations/{conversation_id}/branches/{branch}/activate")
async def activate(here: Here, who: Who, conversation_id: PathId, branch: str) -> ConversationView:
    """Show another version (`trunk`: the first) to everybody, and go on from it. Nothing is stopped."""
    async with change(here.database, here.rooms) as work:
        return await branches.activate(work, who, conversation_id, branch)
