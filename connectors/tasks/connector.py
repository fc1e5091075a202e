"""The connector `tasks`: list, add, complete and delete on the to-do list that SQL keeps."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from connectors.base import CallContext, PermanentFailure, Preview, changes
from connectors.manifest import ConnectorManifest, read_manifest
from core.store import tasks
from core.store.database import Database
from core.tables.tasks import Task

DEFAULT_LIMIT = 50
_GONE = "There is no such task on the list."


class Tasks:
    """The to-do list of the person whom a call acts for."""

    def __init__(self, database: Database) -> None:
        """Take where the list is kept."""
        self._database = database
        self._manifest = read_manifest(Path(__file__).with_name("manifest.toml"))
        self._actions: dict[str, Callable[[dict[str, Any], CallContext], Awaitable[dict[str, Any]]]] = {
            "list": self._list,
            "add": self._add,
            "complete": self._complete,
            "delete": self._delete,
        }

    @property
    def manifest(self) -> ConnectorManifest:
        """What it offers."""
        return self._manifest

    async def preview(self, action: str, arguments: dict[str, Any], context: CallContext) -> Preview:
        """Say what would change on the list; raises PermanentFailure when the task is not there."""
        if action == "list":
            return Preview(summary="Read the to-do list", reversible=True)
        if action == "add":
            return Preview(
                summary=f"Add “{arguments['title']}”", changes=changes(("task", None, arguments["title"])), reversible=True
            )
        task = await self._find(arguments["id"], context)
        if action == "complete":
            return Preview(summary=f"Mark “{task.title}” as done", changes=changes((task.title, "open", "done")))
        return Preview(
            summary=f"Delete “{task.title}”",
            changes=changes(("task", task.title, None)),
            warnings=("It cannot be brought back.",),
        )

    async def execute(self, action: str, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        """Do it; raises PermanentFailure when the task is not there."""
        return await self._actions[action](arguments, context)

    async def _find(self, task_id: str, context: CallContext) -> Task:
        async with self._database.reading() as session:
            task = await tasks.one(session, context.workspace_id, context.user_id, task_id)
        if task is None or task.deleted_at is not None:
            raise PermanentFailure(_GONE)
        return task

    async def _list(self, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        async with self._database.reading() as session:
            found, total = await tasks.page(
                session,
                context.workspace_id,
                context.user_id,
                done=arguments.get("done"),
                limit=arguments.get("limit", DEFAULT_LIMIT),
            )
        return {"items": [_shown(task) for task in found], "total": total}

    async def _add(self, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        async with self._database.writing() as session:
            task = await tasks.add(
                session, context.workspace_id, context.user_id, arguments["title"], context.idempotency_key
            )
            return {"added": _shown(task)}

    async def _complete(self, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        async with self._database.writing() as session:
            task = await tasks.one(session, context.workspace_id, context.user_id, arguments["id"])
            if task is None or task.deleted_at is not None:
                raise PermanentFailure(_GONE)
            await tasks.complete(session, task)
            return {"completed": _shown(task)}

    async def _delete(self, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        async with self._database.writing() as session:
            task = await tasks.one(session, context.workspace_id, context.user_id, arguments["id"])
            if task is None or (task.deleted_at and task.deleted_with != context.idempotency_key):
                raise PermanentFailure(_GONE)
            if task.deleted_at is None:
                await tasks.delete(session, task, context.idempotency_key)
            return {"deleted": _shown(task)}


def _shown(task: Task) -> dict[str, Any]:
    return {"id": task.id, "title": task.title, "done": task.done}
