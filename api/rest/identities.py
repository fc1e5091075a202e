"""Accounts of people on channels: links made here and said in a chat, pairings asked for in a chat and typed here."""

from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import Field

from api.rest.context import Here, PathId, Proved, Who
from api.rest.pages import Cursor, Limit, Page
from core.errors import NotFound
from core.store import identities, links, pairings
from core.store.work import change
from core.text import SafeStr
from core.values import Value
from core.views import IdentityView, LinkView

router = APIRouter(prefix="/identities", tags=["identities"])

OfUser = Annotated[str | None, Query(max_length=64, description="Somebody else's, by user id; for owners and admins.")]
_WRONG = "This code does not hold: it is wrong, used, or over. Ask for a new one in the chat."


class NewLink(Value):
    """Where the account is."""

    channel: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["telegram"])


class MadeLink(Value):
    """The link and its code, which nobody can see again; `address` opens the chat with it, where the channel can."""

    link: LinkView
    code: str
    address: str | None = None


class Code(Value):
    """What the chat said."""

    code: SafeStr = Field(min_length=1, max_length=64, examples=["K7QM-2XRT"])


@router.get("")
async def list_identities(
    here: Here, who: Who, user_id: OfUser = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[IdentityView]:
    """List your accounts on channels, newest first."""
    async with here.database.reading() as session:
        items, following, total = await identities.page(session, who, user_id=user_id, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.delete("/{identity_id}")
async def unlink(here: Here, who: Who, identity_id: PathId) -> IdentityView:
    """Unlink an account at once, with what was on its way there; owners and admins may unlink others' here."""
    async with change(here.database, here.rooms) as work:
        return await identities.unlink(work, here.audit, who, identity_id)


@router.get("/links")
async def list_links(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[LinkView]:
    """List your links under way and those that were, newest first."""
    async with here.database.reading() as session:
        items, following, total = await links.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("/links", status_code=status.HTTP_201_CREATED)
async def new_link(here: Here, who: Proved, body: NewLink) -> MadeLink:
    """Make a code for your account on a channel: say it there within 10 minutes, and confirm there."""
    await here.limits.check("link", who.user_id)
    channel = here.channels.named(body.channel)
    async with change(here.database, here.rooms) as work:
        view, code = await links.new_code(work, here.audit, who, body.channel)
    return MadeLink(link=view, code=code, address=channel.address(code))


@router.delete("/links/{link_id}")
async def withdraw_link(here: Here, who: Who, link_id: PathId) -> LinkView:
    """Take a code back."""
    async with change(here.database, here.rooms) as work:
        return await links.withdraw(work, who, link_id)


@router.post("/pairings/look-up")
async def look_up_pairing(here: Here, who: Who, body: Code) -> LinkView:
    """Show which account asked for this code; wrong ones count, and after 5 none is looked at for an hour."""
    await here.limits.check("link", who.user_id)
    async with change(here.database, here.rooms) as work:
        found = await pairings.look_up_pairing(work, who, body.code)
    if found is None:
        raise NotFound(_WRONG)
    return found


@router.post("/pairings/confirm", status_code=status.HTTP_201_CREATED)
async def confirm_pairing(here: Here, who: Proved, body: Code) -> IdentityView:
    """Link the account that asked for this code to you: look it up first, for whoever asked will act as you."""
    await here.limits.check("link", who.user_id)
    async with change(here.database, here.rooms) as work:
        found = await pairings.confirm_pairing(work, here.audit, who, body.code)
    if found is None:
        raise NotFound(_WRONG)
    return identities.view_of(found)
