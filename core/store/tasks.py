"""The to-do lists: each query sees one person's own list in one workspace, and nothing else."""

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict
from core.ids import Id, new_id
from core.tables.tasks import Task
from core.values import Value


class Owner(Value):
    """Whose list: a person in a workspace."""

    workspace_id: Id
    user_id: Id


def _owned_by(owner: Owner) -> ColumnElement[bool]:
    return and_(Task.workspace_id == owner.workspace_id, Task.owner_id == owner.user_id)


def _on_list(owner: Owner) -> ColumnElement[bool]:
    return and_(_owned_by(owner), Task.deleted_at.is_(None))


async def page(
    session: AsyncSession, owner: Owner, done: bool | None, title: str | None, limit: int
) -> tuple[list[Task], int]:
    """Give the first `limit` tasks, open ones first, then by age, and how many there are in all.

    `done` None means both; `title` keeps those whose title contains it (on SQLite only ASCII matches in any case).
    """
    wanted = [_on_list(owner)]
    if done is not None:
        wanted.append(Task.done.is_(done))
    if title is not None:
        wanted.append(Task.title.icontains(title, autoescape=True))
    total = await session.scalar(select(func.count()).select_from(Task).where(*wanted))
    ordered = select(Task).where(*wanted).order_by(Task.done, Task.created_at, Task.id).limit(limit)
    return list(await session.scalars(ordered)), total or 0


async def find(session: AsyncSession, owner: Owner, task_id: str, *, lock: bool = False) -> Task | None:
    """Give a task that is on the list; None when it is not."""
    statement = select(Task).where(_on_list(owner), Task.id == task_id)
    found: Task | None = await session.scalar(statement.with_for_update() if lock else statement)
    return found


async def add(session: AsyncSession, owner: Owner, title: str, key: str) -> Task:
    """Add a task; the same key gives the task that it gave before, even one deleted since."""
    task = Task(
        id=new_id("tsk"),
        workspace_id=owner.workspace_id,
        owner_id=owner.user_id,
        title=title,
        idempotency_key=key,
        created_at=now(),
    )
    try:
        async with session.begin_nested():
            session.add(task)
    except IntegrityError:
        return await _added_before(session, owner, key)
    return task


async def _added_before(session: AsyncSession, owner: Owner, key: str) -> Task:
    task: Task | None = await session.scalar(select(Task).where(_owned_by(owner), Task.idempotency_key == key))
    if task is None:
        message = "this key cannot be used for a task here"
        raise Conflict(message)
    return task


async def complete(session: AsyncSession, owner: Owner, task_id: str) -> Task | None:
    """Mark a task as done, keeping the time of the first time; None when it is not on the list."""
    task = await find(session, owner, task_id, lock=True)
    if task is not None and not task.done:
        task.done, task.completed_at = True, now()
    return task


async def delete(session: AsyncSession, owner: Owner, task_id: str, key: str) -> Task | None:
    """Take a task off the list; the same key gives the same task again. None when it is not on the list."""
    statement = select(Task).where(_owned_by(owner), Task.id == task_id).with_for_update()
    task: Task | None = await session.scalar(statement)
    if task is None or (task.deleted_at is not None and task.deleted_with != key):
        return None
    if task.deleted_at is None:
        task.deleted_at, task.deleted_with = now(), key
    return task
