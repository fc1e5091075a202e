"""Programs' tokens: made, shown once, listed, revoked."""

from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import Field

from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from core.permissions import Scope
from core.profile import PersonName
from core.store import api_tokens
from core.store.work import change
from core.values import Value
from core.views import ApiTokenView

router = APIRouter(prefix="/tokens", tags=["tokens"])

Everybody = Annotated[bool, Query(description="Everybody's in the workspace; for owners and admins.")]


class NewToken(Value):
    """What for, how long, and what it may be used for. `days` null: it never ends; only owners may ask for that."""

    name: PersonName = Field(examples=["nightly report"])
    days: Annotated[int, Field(ge=1, le=api_tokens.MAX_DAYS)] | None = 90
    scopes: frozenset[Scope] = Field(frozenset({Scope.CHAT, Scope.READ}), examples=[["chat", "read"]])


class MadeToken(Value):
    """The token and what is kept of it; nobody can see `secret` again."""

    token: ApiTokenView
    secret: str


@router.get("")
async def list_tokens(
    here: Here, who: Who, everybody: Everybody = False, limit: Limit = 50, cursor: Cursor = None
) -> Page[ApiTokenView]:
    """List your tokens, newest first."""
    async with here.database.reading() as session:
        items, following, total = await api_tokens.page(session, who, limit=limit, cursor=cursor, everybody=everybody)
    return Page(items=items, next=following, total=total)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(here: Here, who: Who, body: NewToken) -> MadeToken:
    """Make a token for a program: it acts as you, within its scopes. `decide` lets it approve; ask for it knowingly.

    For `admin` you have to prove afresh who you are: such a token is not asked for that.
    """
    await here.limits.check("token", who.user_id)
    if Scope.ADMIN in body.scopes and not who.is_program:
        async with here.database.reading() as session:
            await here.proving.require_fresh(session, who)
    async with change(here.database, here.rooms) as work:
        view, secret = await api_tokens.create(
            work, here.audit, who, name=body.name, days=body.days, scopes=body.scopes
        )
    return MadeToken(token=view, secret=secret)


@router.post("/{token_id}/revoke")
async def revoke(here: Here, who: Who, token_id: PathId) -> ApiTokenView:
    """End a token at once, with the sockets that it opened; owners and admins may end anybody's."""
    async with change(here.database, here.rooms) as work:
        return await api_tokens.revoke(work, here.audit, who, token_id)
