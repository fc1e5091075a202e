"""Models: those that are configured, and whether one answers just now."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.rest.context import Here, Who
from api.rest.pages import Page
from core.messages import ModelChecked
from core.permissions import Role
from core.views import ModelView

router = APIRouter(prefix="/models", tags=["models"])

Name = Annotated[str, Path(max_length=100, description="Our name for the model; it may hold slashes.")]


@router.get("")
async def list_models(here: Here, who: Who) -> Page[ModelView]:
    """List the configured models in their order of preference: what they can do and cost, and how they were lately."""
    found = await here.models.listed(who)
    return Page(items=found, next=None, total=len(found))


@router.post("/{name:path}/check")
async def check(here: Here, who: Who, name: Name) -> ModelChecked:
    """Send one cheap request to a model, and say what came of it. For owners and admins."""
    who.must_be(Role.OWNER, Role.ADMIN)
    await here.limits.check("model", who.user_id)
    return await here.models.check(name)
