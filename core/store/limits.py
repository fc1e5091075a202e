"""What bounds a person's model calls, in one look: whether any budget applies, and which models may be asked."""

from typing import Any

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.tables.cost import Budget, ModelRule
from core.tables.people import Workspace
from core.values import Value

EVERYBODY = ""
"""The `user_id` of a budget or rule for the whole workspace."""


class Limits(Value):
    """What holds now.

    `budgeted`: calls are reserved first; `in_money`: only models of a known price may be asked. `allowed`: the names of
    the models that may be asked, None for all.
    """

    budgeted: bool = False
    in_money: bool = False
    allowed: frozenset[str] | None = None


def columns(workspace_id: Any, user_id: Any) -> tuple[ColumnElement[Any], ...]:
    """Give what `limits_from` takes, to be selected beside something else: a plain turn pays no statement for it."""
    of_them = select(1).where(Budget.workspace_id == workspace_id, Budget.user_id.in_([EVERYBODY, user_id]))
    budgeted = exists(of_them).label("budgeted")
    in_money = exists(of_them.where(Budget.money_micros.is_not(None))).label("in_money")
    return budgeted, in_money, _allowed(workspace_id, EVERYBODY), _allowed(workspace_id, user_id)


def _allowed(workspace_id: Any, user_id: Any) -> ColumnElement[Any]:
    found: ColumnElement[Any] = (
        select(ModelRule.allowed)
        .where(ModelRule.workspace_id == workspace_id, ModelRule.user_id == user_id)
        .scalar_subquery()
    )
    return found


def limits_from(budgeted: bool, in_money: bool, of_all: list[str] | None, of_one: list[str] | None) -> Limits:
    """Put the columns together: a person's own rule never allows more than the workspace's."""
    rules = [frozenset(one) for one in (of_all, of_one) if one is not None]
    allowed = frozenset.intersection(*rules) if rules else None
    return Limits(budgeted=bool(budgeted), in_money=bool(in_money), allowed=allowed)


async def limits_of(session: AsyncSession, workspace_id: str, user_id: str) -> Limits:
    """Read what bounds this person's calls."""
    statement = select(*columns(Workspace.id, user_id)).where(Workspace.id == workspace_id)
    row = (await session.execute(statement)).one_or_none()
    return Limits() if row is None else limits_from(*row)
