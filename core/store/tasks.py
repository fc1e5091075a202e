"""The to-do list in SQL; everyone sees and changes only their own tasks."""

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import new_id
from core.tables.tasks import Task


def _own(workspace_id: str, owner_id: str) -> ColumnElement[bool]:
    return and_(Task.workspace_id == workspace_id, Task.owner_id == owner_id)


async def page(
    session: AsyncSession, workspace_id: str, owner_id: str, *, done: bool | None, limit: int
) -> tuple[list[Task], int]:
    """Give the oldest tasks first, and how many there are in all. `done` None: both kinds."""
    which = and_(_own(workspace_id, owner_id), Task.deleted_at.is_(None))
    if done is not None:
        which = and_(which, Task.done == done)
    total = (await session.execute(select(func.count()).select_from(Task).where(which))).scalar_one()
    statement = select(Task).where(which).order_by(Task.created_at, Task.id).limit(limit)
    return list((await session.execute(statement)).scalars()), total


async def one(session: AsyncSession, workspace_id: str, owner_id: str, task_id: str) -> Task | None:
    """Give one task, a deleted one too (its `deleted_at` says so)."""
    statement = select(Task).where(Task.id == task_id, _own(workspace_id, owner_id))
    return (await session.execute(statement)).scalar_one_or_none()


async def add(session: AsyncSession, workspace_id: str, owner_id: str, title: str, idempotency_key: str) -> Task:
    """Add a task; the same key gives the same task."""
    statement = select(Task).where(Task.idempotency_key == idempotency_key, _own(workspace_id, owner_id))
    earlier = (await session.execute(statement)).scalar_one_or_none()
    if earlier is not None:
        return earlier
    task = Task(
        id=new_id("tsk"),
        workspace_id=workspace_id,
        owner_id=owner_id,
        title=title,
        idempotency_key=idempotency_key,
        created_at=now(),
    )
    session.add(task)
    await session.flush()
    return task


async def complete(session: AsyncSession, task: Task) -> None:
    """Mark a task as done; doing so twice changes nothing."""
    if not task.done:
        task.done, task.completed_at = True, now()
        await session.flush()


async def delete(session: AsyncSession, task: Task, idempotency_key: str) -> None:
    """Take a task off the list, and keep which call did it."""
    task.deleted_at, task.deleted_with = now(), idempotency_key
    await session.flush()
