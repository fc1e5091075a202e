"""Services: programs with a place of their own, which talk and ask by keys, and never decide."""

from typing import Annotated

from fastapi import APIRouter, status
from pydantic import Field

from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from api.rest.tokens import MadeToken
from core.permissions import Role, Scope
from core.profile import PersonName
from core.store import api_tokens, services
from core.store.work import change
from core.values import Value
from core.views import ApiTokenView, PersonView

router = APIRouter(prefix="/services", tags=["services"])


class NewService(Value):
    """What it is called, and whether it may talk (member) or only read (viewer)."""

    name: PersonName = Field(examples=["deploy bot"])
    role: Role = Field(Role.MEMBER, examples=["member"])


class NewKey(Value):
    """What for, how long, and for what: `read`, `chat`, `ask`. `days` null: it never ends; only owners may say so."""

    name: PersonName = Field(examples=["CI"])
    days: Annotated[int, Field(ge=1, le=api_tokens.MAX_DAYS)] | None = 90
    scopes: frozenset[Scope] = Field(frozenset({Scope.ASK, Scope.READ}), examples=[["ask", "read"]])


@router.get("")
async def list_services(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[PersonView]:
    """List the workspace's services, newest first; for owners and admins."""
    async with here.database.reading() as session:
        items, following, total = await services.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_service(here: Here, who: Who, body: NewService) -> PersonView:
    """Make a service; owners and admins may. It gets in by a key, which is made next."""
    async with change(here.database, here.rooms) as work:
        return await services.create(work, here.audit, who, body.name, body.role)


@router.post("/{service_id}/disable")
async def disable_service(here: Here, who: Who, service_id: PathId) -> PersonView:
    """Shut a service out: its keys end at once, and its sockets with them."""
    async with change(here.database, here.rooms) as work:
        return await services.disable(work, here.audit, who, service_id)


@router.get("/{service_id}/keys")
async def list_keys(
    here: Here, who: Who, service_id: PathId, limit: Limit = 50, cursor: Cursor = None
) -> Page[ApiTokenView]:
    """List a service's keys, newest first; `POST /tokens/{token_id}/revoke` ends one."""
    async with here.database.reading() as session:
        items, following, total = await services.keys(session, who, service_id, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("/{service_id}/keys", status_code=status.HTTP_201_CREATED)
async def new_key(here: Here, who: Who, service_id: PathId, body: NewKey) -> MadeToken:
    """Make a key of a service, shown once. It never decides, whatever it is asked for."""
    await here.limits.check("token", who.user_id)
    async with change(here.database, here.rooms) as work:
        view, secret = await services.new_key(
            work, here.audit, who, service_id, name=body.name, days=body.days, scopes=body.scopes
        )
    return MadeToken(token=view, secret=secret)
