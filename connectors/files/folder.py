"""One workspace's folder, reached name by name from an open folder, so that no link is ever followed (blocking)."""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from connectors.base import ConnectorError, PermanentFailure, TemporaryFailure
from connectors.files.paths import MAX_DEPTH, is_plain

SUPPORTED = {os.open, os.mkdir, os.rename, os.stat, os.unlink} <= os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
MAX_FILE_BYTES = 1_048_576
MAX_ENTRIES = 20_000
_ASIDE = ".aside"  # files being written, and marks of deletions by their key; no workspace's id looks like it
_STALE_SECONDS = 86_400.0
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FOLDER = _NO_LINK | getattr(os, "O_DIRECTORY", 0)
_LATER = {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EINTR, errno.EAGAIN, errno.EBUSY}


@dataclass(frozen=True)
class Found:
    """A file in a listing; `path` is relative to the workspace's folder, `size` in bytes."""

    path: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Content:
    """The first bytes of a file and its whole size in bytes."""

    data: bytes
    size: int


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn the system's errors into ours; none of them tells where on the machine the folder is."""
    try:
        yield
    except FileNotFoundError as error:
        raise PermanentFailure(f"There is no {path}.") from error
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise PermanentFailure(f"{path} leads through a link or a file, not through folders.") from error
        if error.errno in _LATER:
            raise TemporaryFailure(f"{path} cannot be reached now ({os.strerror(error.errno or 0)}).") from error
        raise PermanentFailure(f"{path} cannot be used ({os.strerror(error.errno or 0)}).") from error


class Folder:
    """The files of one workspace, in `root`/`workspace_id`; names come from `parse_path`.

    Every method opens each folder on the way relative to the one before, refusing links (`O_NOFOLLOW`): exchanging a
    folder for a link meanwhile changes nothing about where it ends. Errors are ConnectorErrors.
    """

    def __init__(self, root: Path, workspace_id: str) -> None:
        """Take the place; nothing is made until something is written."""
        self._root = root
        self._workspace_id = workspace_id

    def read(self, names: tuple[str, ...], limit: int) -> Content:
        """Give the first `limit` bytes of a file."""
        with explained("/".join(names)), ExitStack() as opened:
            parent = self._parent(opened, names, make=False)
            return _read(parent, names[-1], limit, "/".join(names))

    def peek(self, names: tuple[str, ...], limit: int) -> Content | None:
        """Give the first `limit` bytes of a file; None when there is none yet."""
        try:
            return self.read(names, limit)
        except PermanentFailure as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def write(self, names: tuple[str, ...], data: bytes) -> None:
        """Make the file have exactly these bytes: all of them or, when it fails, what it had."""
        path = "/".join(names)
        if len(data) > MAX_FILE_BYTES:
            raise PermanentFailure(f"{path} would be larger than {MAX_FILE_BYTES} bytes.")
        with explained(path), ExitStack() as opened:
            parent = self._parent(opened, names, make=True)
            _refuse_all_but_files(parent, names[-1], path, missing_is_fine=True)
            aside = self._aside(opened)
            name = f"{token_hex(16)}.new"
            try:
                _store(aside, name, data)
                os.rename(name, names[-1], src_dir_fd=aside, dst_dir_fd=parent)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=aside)
            os.fsync(parent)

    def delete(self, names: tuple[str, ...], key: str) -> None:
        """Delete a file; under the same key again it is done already. Moving it aside is the one step that counts."""
        path = "/".join(names)
        with explained(path), ExitStack() as opened:
            aside = self._aside(opened)
            mark = f"{hashlib.sha256(chr(0).join((self._workspace_id, key, path)).encode()).hexdigest()}.deleted"
            if not _exists(aside, mark):
                parent = self._parent(opened, names, make=False)
                _refuse_all_but_files(parent, names[-1], path)
                _move(parent, names[-1], aside, mark, path)
                os.fsync(parent)
            _empty(aside, mark)

    def listing(self, names: tuple[str, ...], limit: int) -> tuple[list[Found], int, int]:
        """Give the first `limit` files below a folder by path, how many there are, and how many entries are not shown.

        Not shown are links, devices and names that no path may hold. Beyond MAX_ENTRIES the rest is not counted.
        """
        found: list[Found] = []
        skipped = 0
        with explained("/".join(names) or "the folder"), ExitStack() as opened:
            try:
                top = self._descend(opened, names, make=False)
            except FileNotFoundError:
                if names:
                    raise
                return [], 0, 0
            for entry in _walk(top, names):
                if entry is None:
                    skipped += 1
                else:
                    found.append(entry)
        found.sort(key=lambda one: one.path)
        return found[:limit], len(found), skipped

    def _parent(self, opened: ExitStack, names: tuple[str, ...], *, make: bool) -> int:
        return self._descend(opened, names[:-1], make=make)

    def _descend(self, opened: ExitStack, names: tuple[str, ...], *, make: bool) -> int:
        """Open the workspace's folder and, from it, each folder named; `make` those that are missing."""
        here = self._open_root(opened, make=make)
        for name in (self._workspace_id, *names):
            here = _enter(opened, here, name, make=make)
        return here

    def _open_root(self, opened: ExitStack, *, make: bool) -> int:
        if make:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        here = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, here)
        return here

    def _aside(self, opened: ExitStack) -> int:
        aside = _enter(opened, self._open_root(opened, make=True), _ASIDE, make=True)
        _sweep(aside)
        return aside


def _enter(opened: ExitStack, parent: int, name: str, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, mode=0o700, dir_fd=parent)
    here = os.open(name, os.O_RDONLY | _FOLDER, dir_fd=parent)
    opened.callback(os.close, here)
    return here


def _exists(parent: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _refuse_all_but_files(parent: int, name: str, path: str, *, missing_is_fine: bool = False) -> None:
    """Look before opening: opening a device can already do something, opening a pipe can wait for ever."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        if missing_is_fine:
            return
        raise
    if not stat.S_ISREG(mode):
        raise _not_a_file(path, mode)


def _not_a_file(path: str, mode: int) -> ConnectorError:
    kind = "a folder" if stat.S_ISDIR(mode) else "a link" if stat.S_ISLNK(mode) else "a device"
    return PermanentFailure(f"{path} is {kind}, not a file.")


def _read(parent: int, name: str, limit: int, path: str) -> Content:
    _refuse_all_but_files(parent, name, path)
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NONBLOCK | _NO_LINK, dir_fd=parent), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):  # exchanged since we looked
            raise _not_a_file(path, status.st_mode)
        return Content(file.read(limit), status.st_size)


def _store(parent: int, name: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _move(parent: int, name: str, aside: int, mark: str, path: str) -> None:
    """Move a file aside; what took its place since we looked and is no file goes back."""
    os.rename(name, mark, src_dir_fd=parent, dst_dir_fd=aside)
    mode = os.stat(mark, dir_fd=aside, follow_symlinks=False).st_mode
    if not stat.S_ISREG(mode):
        os.rename(mark, name, src_dir_fd=aside, dst_dir_fd=parent)
        raise _not_a_file(path, mode)


def _empty(aside: int, mark: str) -> None:
    """Put an empty file in the place of the one moved aside: its text is gone, the mark stays for a repeat."""
    if os.stat(mark, dir_fd=aside, follow_symlinks=False).st_size:
        name = f"{token_hex(16)}.new"
        _store(aside, name, b"")
        os.rename(name, mark, src_dir_fd=aside, dst_dir_fd=aside)
        os.fsync(aside)


def _sweep(aside: int) -> None:
    """Remove what a crash left, and marks that no repeat asks for any more."""
    before = time.time() - _STALE_SECONDS
    with os.scandir(aside) as entries:
        names = [one.name for one in entries]
    for name in names:
        with suppress(OSError):  # another call may sweep as well
            if os.stat(name, dir_fd=aside, follow_symlinks=False).st_ctime < before:
                os.unlink(name, dir_fd=aside)


def _walk(top: int, names: tuple[str, ...]) -> Iterator[Found | None]:
    """Give each file below an open folder, None for each entry that is not shown; names in their order."""
    left = MAX_ENTRIES
    waiting = [(names, os.dup(top))]
    try:
        while waiting:
            here, folder = waiting.pop()
            try:
                for name in sorted(os.listdir(folder))[:left]:  # noqa: PTH208 - a Path cannot list an open folder
                    left -= 1
                    seen = _look(folder, here, name)
                    if isinstance(seen, int):
                        waiting.append(((*here, name), seen))
                    else:
                        yield seen
            finally:
                os.close(folder)
    finally:
        for _, folder in waiting:
            os.close(folder)


def _look(folder: int, here: tuple[str, ...], name: str) -> Found | int | None:
    """Give a file, an open folder below this one, or None for what is not shown."""
    if not is_plain(name):
        return None
    with suppress(OSError):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            modified = datetime.fromtimestamp(status.st_mtime, UTC)
            return Found("/".join((*here, name)), status.st_size, modified)
        if stat.S_ISDIR(status.st_mode) and len(here) + 1 < MAX_DEPTH:
            return os.open(name, os.O_RDONLY | _FOLDER, dir_fd=folder)
    return None
