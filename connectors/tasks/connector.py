"""The to-do list: each person's own, in our SQL."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from connectors.base import CallContext, Change, PermanentFailure, Preview
from connectors.manifest import load_manifest
from core.store import tasks
from core.store.database import Database
from core.store.tasks import Owner
from core.tables.tasks import Task

_DEFAULT_LIMIT = 100
_TITLE_SHOWN = 80

Handler = Callable[[dict[str, Any], CallContext], Awaitable[dict[str, Any]]]


class TasksConnector:
    """Lists, adds, completes and deletes tasks of the person on whose behalf it is called."""

    manifest = load_manifest(Path(__file__).parent)

    def __init__(self, database: Database) -> None:
        """Take the database that holds the lists."""
        self._database = database
        self._handlers: dict[str, Handler] = {
            "list": self._list,
            "add": self._add,
            "complete": self._complete,
            "delete": self._delete,
        }

    async def preview(self, action: str, arguments: dict[str, Any], context: CallContext) -> Preview:
        """Say what the action would do; PermanentFailure when the task is not there."""
        if action == "list":
            return Preview(summary=f"List {arguments.get('state', 'all')} tasks", reversible=True)
        if action == "add":
            title = arguments["title"].strip()
            change = Change(label="Task", after=title)
            return Preview(summary=f"Add the task {_quoted(title)}", changes=(change,), reversible=True)
        async with self._database.reading() as session:
            task = await tasks.find(session, _owner(context), arguments["id"])
        if task is None:
            raise _missing()
        return _preview_delete(task) if action == "delete" else _preview_complete(task)

    async def execute(self, action: str, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        """Do it; raises PermanentFailure when the task is not there."""
        return await self._handlers[action](arguments, context)

    async def _list(self, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        done = {"open": False, "done": True}.get(arguments.get("state", "all"))
        limit = int(arguments.get("limit", _DEFAULT_LIMIT))
        async with self._database.reading() as session:
            found, total = await tasks.page(session, _owner(context), done, arguments.get("title"), limit)
        return {"items": [_shown(task) for task in found], "total": total}

    async def _add(self, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        async with self._database.writing() as session:
            task = await tasks.add(session, _owner(context), arguments["title"].strip(), context.idempotency_key)
        return _shown(task)

    async def _complete(self, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        async with self._database.writing() as session:
            task = await tasks.complete(session, _owner(context), arguments["id"])
        if task is None:
            raise _missing()
        return _shown(task)

    async def _delete(self, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        async with self._database.writing() as session:
            task = await tasks.delete(session, _owner(context), arguments["id"], context.idempotency_key)
        if task is None:
            raise _missing()
        return {"id": task.id, "title": task.title, "deleted": True}


def _owner(context: CallContext) -> Owner:
    return Owner(workspace_id=context.workspace_id, user_id=context.user_id)


def _shown(task: Task) -> dict[str, Any]:
    return {"id": task.id, "title": task.title, "done": task.done}


def _missing() -> PermanentFailure:
    return PermanentFailure("There is no such task on your list; it may have been deleted already.")


def _state(task: Task) -> str:
    return "done" if task.done else "open"


def _quoted(title: str) -> str:
    """Give a title on one line, cut to what a summary has room for."""
    line = " ".join(title.split())
    return f'"{line}"' if len(line) <= _TITLE_SHOWN else f'"{line[:_TITLE_SHOWN]}…"'


def _preview_complete(task: Task) -> Preview:
    change = Change(label=f"Task {_quoted(task.title)}", before=_state(task), after="done")
    return Preview(summary=f"Mark the task {_quoted(task.title)} as done", changes=(change,))


def _preview_delete(task: Task) -> Preview:
    change = Change(label="Task", before=f"{task.title} ({_state(task)})")
    return Preview(summary=f"Delete the task {_quoted(task.title)}", changes=(change,))
