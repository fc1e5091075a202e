"""Model rules: which models the people of the workspace, or one of them, may ask."""

from typing import Annotated

from fastapi import APIRouter, status
from pydantic import Field

from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from core.errors import Invalid
from core.ids import Id
from core.settings import Settings
from core.store import model_rules
from core.store.work import change
from core.text import SpokenStr
from core.values import Value
from core.views import ModelRuleView

router = APIRouter(prefix="/model-rules", tags=["usage"])
Name = Annotated[SpokenStr, Field(max_length=100)]


class NewRule(Value):
    """The names of the models that may be asked, as the settings have them. The offline assistant is everybody's."""

    user_id: Id | None = Field(None, description="For whom; null: everybody in the workspace.")
    allowed: list[Name] = Field(min_length=0, max_length=100, examples=[["small"]])


@router.get("")
async def list_rules(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[ModelRuleView]:
    """List the rules: all for owners and admins, else those that apply to the person."""
    async with here.database.reading() as session:
        items, following, total = await model_rules.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("")
async def put_rule(here: Here, who: Who, body: NewRule) -> ModelRuleView:
    """Say which models may be asked, in place of what was said for the same people; owners and admins may."""
    _check_known(here.settings, body.allowed)
    async with change(here.database, here.rooms) as work:
        return await model_rules.put(work, here.audit, who, user_id=body.user_id, allowed=body.allowed)


def _check_known(settings: Settings, names: list[str]) -> None:
    """Refuse a name that no model has: a slip would shut everybody out."""
    known = {one.name for one in settings.models} | ({settings.model_name} if settings.model_name else set())
    unknown = sorted(set(names) - known)
    if unknown:
        listed = ", ".join(sorted(known)) or "none"
        message = f"No model here is called {', '.join(unknown)}. The settings name: {listed}."
        raise Invalid(message)


@router.delete("/{rule_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_rule(here: Here, who: Who, rule_id: PathId) -> None:
    """Take a rule away; owners and admins may."""
    async with change(here.database, here.rooms) as work:
        await model_rules.remove(work, here.audit, who, rule_id)
