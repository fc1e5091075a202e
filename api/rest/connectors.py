"""Connectors: what the assistant can do here, and what each action asks of people."""

from typing import Any

from fastapi import APIRouter

from api.rest.context import Here, Who
from api.rest.pages import Page

router = APIRouter(prefix="/connectors", tags=["connectors"])


@router.get("")
async def list_connectors(here: Here, _who: Who) -> Page[dict[str, Any]]:
    """List every connector with its actions: schema, examples, risk, effect, and the default policy for a member."""
    items = here.registry.describe()
    return Page(items=items, next=None, total=len(items))
