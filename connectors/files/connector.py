"""Text files in one folder per workspace, which nothing here can leave."""

import asyncio
import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.base import CallContext, Change, PermanentFailure, Preview
from connectors.files.differences import difference
from connectors.files.folder import MAX_FILE_BYTES, Content, Folder
from connectors.files.paths import parse_path
from connectors.manifest import load_manifest
from core.text import has_hidden

MAX_READ_BYTES = 65_536
_DEFAULT_LIMIT = 200

Handler = Callable[[Folder, dict[str, Any], CallContext], dict[str, Any]]


class FilesConnector:
    """Lists, reads, writes and deletes files; the blocking work is done in threads."""

    manifest = load_manifest(Path(__file__).parent)

    def __init__(self, root: Path) -> None:
        """Take the folder that holds one folder per workspace; it is made at the first write."""
        self._root = root
        self._handlers: dict[str, Handler] = {"list": _list, "read": _read, "write": _write, "delete": _delete}

    async def preview(self, action: str, arguments: dict[str, Any], context: CallContext) -> Preview:
        """Say what the action would do; PermanentFailure when it could not do it."""
        return await asyncio.to_thread(_preview, self._folder(context), action, arguments)

    async def execute(self, action: str, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        """Do it; raises PermanentFailure or TemporaryFailure."""
        return await asyncio.to_thread(self._handlers[action], self._folder(context), arguments, context)

    def _folder(self, context: CallContext) -> Folder:
        return Folder(self._root, context.workspace_id)


def _list(folder: Folder, arguments: dict[str, Any], _context: CallContext) -> dict[str, Any]:
    names = parse_path(arguments["folder"]) if arguments.get("folder") else ()
    found, total, skipped = folder.listing(names, int(arguments.get("limit", _DEFAULT_LIMIT)))
    items = [
        {"path": one.path, "name": one.path.rpartition("/")[2], "size": one.size, "modified": one.modified.isoformat()}
        for one in found
    ]
    return {"items": items, "total": total, "not_shown": skipped}


def _read(folder: Folder, arguments: dict[str, Any], _context: CallContext) -> dict[str, Any]:
    path = arguments["path"]
    content = folder.read(parse_path(path), MAX_READ_BYTES)
    return {"path": path, "text": _text_of(path, content), "size": content.size, "cut": _is_cut(content)}


def _write(folder: Folder, arguments: dict[str, Any], _context: CallContext) -> dict[str, Any]:
    data = arguments["content"].encode()
    folder.write(parse_path(arguments["path"]), data)
    return {"path": arguments["path"], "size": len(data)}


def _delete(folder: Folder, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
    folder.delete(parse_path(arguments["path"]), context.idempotency_key)
    return {"path": arguments["path"], "deleted": True}


def _is_cut(content: Content) -> bool:
    return content.size > len(content.data)


def _text_of(path: str, content: Content) -> str:
    """Give the bytes as text; a character that the cut split is left out."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(content.data, final=not _is_cut(content))
    except UnicodeDecodeError as error:
        raise _not_text(path) from error
    if "\x00" in text:
        raise _not_text(path)
    return text


def _not_text(path: str) -> PermanentFailure:
    return PermanentFailure(f"{path} is not a text file in UTF-8.")


def _preview(folder: Folder, action: str, arguments: dict[str, Any]) -> Preview:
    if action == "list":
        below = arguments.get("folder")
        return Preview(summary=f"List the files in {below}" if below else "List the files", reversible=True)
    path = arguments["path"]
    if action == "read":
        parse_path(path)
        return Preview(summary=f"Read the file {path}", reversible=True)
    return _preview_delete(folder, path) if action == "delete" else _preview_write(folder, path, arguments["content"])


def _preview_delete(folder: Folder, path: str) -> Preview:
    content = folder.read(parse_path(path), 1)
    change = Change(label=path, before=f"{content.size} bytes")
    return Preview(summary=f"Delete the file {path}", changes=(change,))


def _preview_write(folder: Folder, path: str, text: str) -> Preview:
    size = len(text.encode())
    if size > MAX_FILE_BYTES:
        raise PermanentFailure(f"{path} would be larger than {MAX_FILE_BYTES} bytes.")
    now = folder.peek(parse_path(path), MAX_FILE_BYTES)
    before, warnings = _before(path, now)
    shown, left_out = difference(before, text)
    if left_out:
        warnings.append(f"Not all is shown: {left_out} more lines are in the arguments.")
    if has_hidden(text):
        warnings.append("The new text has characters that cannot be seen.")
    sizes = Change(label="Size", before=None if now is None else f"{now.size} bytes", after=f"{size} bytes")
    return Preview(
        summary=f"{'Create' if now is None else 'Replace'} the file {path}",
        changes=(Change(label="Difference", after=shown or "none"), sizes),
        reversible=now is None,
        warnings=tuple(warnings),
    )


def _before(path: str, now: Content | None) -> tuple[str, list[str]]:
    """Give the text that is there now, with a warning where it cannot be shown."""
    if now is None:
        return "", []
    try:
        return _text_of(path, now), []
    except PermanentFailure:
        return "", ["What is there now is not text, and would be lost."]
