"""A workspace's modes in SQL, beside the built-in ones."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, NotFound
from core.ids import new_id
from core.modes import BUILT_IN, Mode, unknown
from core.permissions import Principal
from core.store.work import Work
from core.tables.cost import Mode as Row
from core.views import ModeView


async def find(session: AsyncSession, workspace_id: str, name: str) -> Mode:
    """Give a mode by its name. Raises UnknownMode, which names those that there are."""
    mode = await perhaps(session, workspace_id, name)
    if mode is None:
        raise unknown(name, await _names(session, workspace_id))
    return mode


async def perhaps(session: AsyncSession, workspace_id: str, name: str) -> Mode | None:
    """Give a mode by its name; None when nobody made it, or somebody removed it."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    row = await _row(session, workspace_id, name)
    return None if row is None else _mode(row)


async def listed(session: AsyncSession, who: Principal) -> list[ModeView]:
    """Give the built-in modes, then the workspace's own by name."""
    statement = select(Row).where(Row.workspace_id == who.workspace_id).order_by(Row.name)
    own = (await session.execute(statement)).scalars()
    built_in = [_view(mode, built_in=True) for mode in BUILT_IN.values()]
    return [*built_in, *(_view(_mode(row), built_in=False) for row in own)]


async def add(work: Work, who: Principal, mode: Mode) -> ModeView:
    """Make a mode of the workspace's own. Raises Conflict for a name that is taken. The caller checks the role."""
    if mode.name in BUILT_IN or await _row(work.session, who.workspace_id, mode.name) is not None:
        message = f"There is a mode {mode.name} already."
        raise Conflict(message)
    at = now()
    values = {**_columns(dict(mode)), "name": mode.name}
    work.session.add(
        Row(
            id=new_id("mod"),
            workspace_id=who.workspace_id,
            created_by=who.user_id,
            created_at=at,
            updated_at=at,
            **values,
        )
    )
    await work.session.flush()
    return _view(mode, built_in=False)


async def alter(work: Work, who: Principal, name: str, values: dict[str, Any]) -> ModeView:
    """Change some of a mode's members; turns that run meanwhile go on by the new ones. Raises NotFound, Conflict."""
    row = await _own(work.session, who, name)
    changed = Mode.model_validate({**dict(_mode(row)), **values})
    for member, value in _columns(dict(changed)).items():
        setattr(row, member, value)
    row.updated_at = now()
    return _view(changed, built_in=False)


async def remove(work: Work, who: Principal, name: str) -> None:
    """Remove a mode; what is still to be answered in it fails with a clear sentence. Raises NotFound, Conflict."""
    await work.session.delete(await _own(work.session, who, name))


async def _own(session: AsyncSession, who: Principal, name: str) -> Row:
    if name in BUILT_IN:
        message = f"The mode {name} is built in: it stays as it is."
        raise Conflict(message)
    row = await _row(session, who.workspace_id, name)
    if row is None:
        message = "There is no such mode."
        raise NotFound(message)
    return row


async def _row(session: AsyncSession, workspace_id: str, name: str) -> Row | None:
    statement = select(Row).where(Row.workspace_id == workspace_id, Row.name == name)
    return (await session.execute(statement)).scalar_one_or_none()


async def _names(session: AsyncSession, workspace_id: str) -> list[str]:
    statement = select(Row.name).where(Row.workspace_id == workspace_id).order_by(Row.name)
    return [*BUILT_IN, *(await session.execute(statement)).scalars()]


def _mode(row: Row) -> Mode:
    return Mode.model_validate(row.model_dump(include=set(Mode.model_fields)))


def _view(mode: Mode, *, built_in: bool) -> ModeView:
    return ModeView.model_validate({**dict(mode), "built_in": built_in})


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    tools = values.pop("tools")
    values.pop("name")
    return values | {"tools": None if tools is None else list(tools)}
