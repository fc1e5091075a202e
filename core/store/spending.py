"""Usage as people look at it: added up by message, turn, person, model, day or purpose; call by call; as totals."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.permissions import Principal, Role
from core.store.usage import SETTLED
from core.tables.cost import Usage
from core.tables.people import User
from core.tables.work import Turn
from core.values import Value
from core.views import UsageGroupView, UsageTotals

MANAGERS = (Role.OWNER, Role.ADMIN)
_PAGE = 500


class Group(StrEnum):
    """By what usage is added up. A message's usage is that of all turns that answered it."""

    MESSAGE = "message"
    TURN = "turn"
    USER = "user"
    MODEL = "model"
    DAY = "day"
    PURPOSE = "purpose"


_NEWEST_FIRST = frozenset({Group.MESSAGE, Group.TURN, Group.DAY})


class Span(Value):
    """From when (inclusive) until when (exclusive); None is open."""

    since: datetime | None = None
    until: datetime | None = None


def theirs(who: Principal, span: Span, *, own: bool = False) -> ColumnElement[bool]:
    """Settled calls in a span of time: the workspace's for owners and admins, else, and with `own`, the person's."""
    parts = [Usage.workspace_id == who.workspace_id, Usage.state == SETTLED]
    if own or who.role not in MANAGERS:
        parts.append(Usage.user_id == who.user_id)
    if span.since is not None:
        parts.append(Usage.created_at >= span.since)
    if span.until is not None:
        parts.append(Usage.created_at < span.until)
    return and_(*parts)


async def grouped(
    session: AsyncSession, who: Principal, group: Group, span: Span, *, limit: int, cursor: str | None
) -> tuple[list[UsageGroupView], str | None, int]:
    """Give the groups, those of time newest first, others by name; the next cursor; how many groups there are."""
    key = _key(session, group)
    of_these = _joined(select(key.label("key"), *_sums()), group).where(theirs(who, span), key.is_not(None))
    count = select(func.count(key.distinct()))
    total = (await session.execute(_joined(count, group).where(theirs(who, span)))).scalar_one()
    newest = group in _NEWEST_FIRST
    statement = of_these.group_by(key).order_by(key.desc() if newest else key).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(key < cursor if newest else key > cursor)
    rows = (await session.execute(statement)).all()
    names = await _names(session, [row[0] for row in rows]) if group is Group.USER else {}
    shown = [UsageGroupView(key=row[0], name=names.get(row[0]), totals=_totals(row._mapping)) for row in rows[:limit]]
    return shown, shown[-1].key if len(rows) > limit else None, total


def _key(session: AsyncSession, group: Group) -> ColumnElement[Any]:
    columns: dict[Group, Any] = {
        Group.MESSAGE: Turn.message_id,
        Group.TURN: Usage.turn_id,
        Group.USER: Usage.user_id,
        Group.MODEL: Usage.model,
        Group.PURPOSE: Usage.purpose,
    }
    found: ColumnElement[Any] = columns[group] if group in columns else _day(session)
    return found


def _day(session: AsyncSession) -> ColumnElement[str]:
    """Write the UTC day of a call, whatever zone the database speaks in."""
    if session.get_bind().dialect.name == "sqlite":
        return func.strftime(literal_column("'%Y-%m-%d'"), Usage.created_at)
    return func.to_char(func.timezone(literal_column("'UTC'"), Usage.created_at), literal_column("'YYYY-MM-DD'"))


def _joined(statement: Select[Any], group: Group) -> Select[Any]:
    statement = statement.select_from(Usage)
    return statement.join(Turn, Turn.id == Usage.turn_id) if group is Group.MESSAGE else statement


def _sums() -> tuple[ColumnElement[Any], ...]:
    added = {
        "input_tokens": Usage.input_tokens,
        "output_tokens": Usage.output_tokens,
        "cached_tokens": Usage.cached_tokens,
        "estimated": case((Usage.estimated, 1), else_=0),
        "estimated_tokens": case((Usage.estimated, Usage.reserved_tokens), else_=0),
        "cost_micros": Usage.cost_micros,
        "unpriced": case((Usage.cost_micros.is_(None), 1), else_=0),
    }
    sums = [func.coalesce(func.sum(column), 0).label(name) for name, column in added.items()]
    return (func.count().label("calls"), *sums)


def _totals(row: Any) -> UsageTotals:
    return UsageTotals(**{name: int(row[name]) for name in UsageTotals.model_fields})


async def _names(session: AsyncSession, user_ids: Sequence[str]) -> dict[str, str]:
    rows = await session.execute(select(User.id, User.name).where(User.id.in_(user_ids)))
    return {row[0]: row[1] for row in rows}


async def totals(session: AsyncSession, who: Principal, span: Span, *, own: bool = False) -> UsageTotals:
    """Add up all calls of a span of time."""
    statement = select(*_sums()).select_from(Usage).where(theirs(who, span, own=own))
    return _totals((await session.execute(statement)).one()._mapping)


async def calls_after(session: AsyncSession, who: Principal, span: Span, last: str) -> Sequence[Usage]:
    """Give the next calls after one, oldest first, at most a page; begin with an empty `last`."""
    statement = select(Usage).where(theirs(who, span), Usage.id > last).order_by(Usage.id).limit(_PAGE)
    return (await session.execute(statement)).scalars().all()
