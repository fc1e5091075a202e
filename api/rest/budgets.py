"""Budgets: the most that the workspace or a person may use in a UTC day or month; models are asked within them."""

from typing import Annotated, Literal

from fastapi import APIRouter, status
from pydantic import Field

from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from core.ids import Id
from core.store import budgets
from core.store.work import change
from core.values import Value
from core.views import BudgetView

router = APIRouter(prefix="/budgets", tags=["usage"])
Amount = Annotated[int, Field(ge=0, le=10**15)]


class NewBudget(Value):
    """An amount of money in millionths of a US dollar, a number of tokens, or both; null bounds nothing."""

    user_id: Id | None = Field(None, description="Whose budget; null: the whole workspace's.")
    period: Literal["day", "month"] = Field(examples=["month"])
    money_micros: Amount | None = Field(None, examples=[20_000_000])
    tokens: Amount | None = Field(None, examples=[2_000_000])


@router.get("")
async def list_budgets(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[BudgetView]:
    """List budgets and what is left of them: all for owners and admins, else those that apply to the person."""
    async with here.database.reading() as session:
        items, following, total = await budgets.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("")
async def put_budget(here: Here, who: Who, body: NewBudget) -> BudgetView:
    """Set a budget, in place of the one for the same person and period; owners and admins may."""
    async with change(here.database, here.rooms) as work:
        return await budgets.put(
            work,
            here.audit,
            who,
            user_id=body.user_id,
            period=body.period,
            money_micros=body.money_micros,
            tokens=body.tokens,
        )


@router.delete("/{budget_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_budget(here: Here, who: Who, budget_id: PathId) -> None:
    """Take a budget away; owners and admins may."""
    async with change(here.database, here.rooms) as work:
        await budgets.remove(work, here.audit, who, budget_id)
