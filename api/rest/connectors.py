"""Connectors: what the assistant can do here, what each action asks of people, and how the services behind are."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from api.rest.context import Here, Who
from api.rest.pages import Page
from connectors.base import Checkable, ConnectorError
from connectors.registry import unused
from core.permissions import Role
from core.store import service_health
from core.store.work import change
from core.values import Value
from core.views import ServiceView

router = APIRouter(prefix="/connectors", tags=["connectors"])

Connector = Annotated[str, Path(max_length=24, description="A connector's id.")]


class ServiceChecked(Value):
    """What a service said when it was asked just now."""

    connector: str
    ok: bool
    code: str
    sentence: str


@router.get("")
async def list_connectors(here: Here, who: Who) -> Page[dict[str, Any]]:
    """List every connector with its actions: schema, examples, risk, effect, and the default policy for a member.

    `health` is how calls to its services went, empty until there was one; `configured` is false for those that come
    with Assent and cannot be used here, and `needs` says what is missing.
    """
    async with here.database.reading() as session:
        found = await service_health.listed(session, who.workspace_id)
    items = [
        one | {"configured": True, "needs": None, "health": [view for view in found if view.connector == one["id"]]}
        for one in here.registry.of(who.workspace_id).describe()
    ]
    items += [
        {**manifest.model_dump(mode="json", include={"id", "version", "title", "description", "origin"})}
        | {"actions": [], "configured": False, "needs": need, "health": []}
        for manifest, need in unused(here.registry)
    ]
    return Page(items=items, next=None, total=len(items))


@router.get("/health")
async def list_health(here: Here, who: Who) -> Page[ServiceView]:
    """List the services that were called, and how that went; those that people chose themselves are one entry."""
    async with here.database.reading() as session:
        found = await service_health.listed(session, who.workspace_id)
    return Page(items=found, next=None, total=len(found))


@router.post("/{connector}/check")
async def check(here: Here, who: Who, connector: Connector) -> ServiceChecked:
    """Ask a connector's service whether it is there, from this server; a good answer ends its rest. Owners, admins."""
    who.must_be(Role.OWNER, Role.ADMIN)
    await here.limits.check("model", who.user_id)
    asked = here.registry.checkable(connector)
    found = await _ask(connector, asked)
    async with change(here.database, here.rooms) as work:
        await service_health.note_check(work, connector, asked.service, ok=found.ok, detail=found.sentence)
    return found


async def _ask(connector: str, asked: Checkable) -> ServiceChecked:
    try:
        await asked.probe()
    except ConnectorError as error:
        return ServiceChecked(connector=connector, ok=False, code=error.code, sentence=error.detail)
    return ServiceChecked(connector=connector, ok=True, code="ok", sentence="It answers.")
