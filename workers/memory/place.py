"""The folder of the index: small files that say what its tables hold, written whole or not at all, and its lock."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from core.clock import now
from core.store.remembered import SHELVES, Shelf
from core.values import Value

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


SCHEMA = 1
"""Of the tables' columns; another one asks for a rebuild."""
KEEP_BROKEN = timedelta(days=1)
_LOCK_PAUSE = 0.2


class Edition(Value):
    """What one generation of tables holds: vectors of one model."""

    schema_version: int = SCHEMA
    model: str
    dimension: int
    generation: int

    def table(self, shelf: Shelf) -> str:
        """Name one of its tables."""
        return f"{shelf}_{self.generation}"

    def fits(self, model: str, dimension: int) -> bool:
        """Whether vectors of this model belong into it."""
        return (self.schema_version, self.model, self.dimension) == (SCHEMA, model, dimension)


class Building(Value):
    """An edition that is being built: up to which row of which shelf."""

    edition: Edition
    shelf: Shelf = SHELVES[0]
    after: str = ""
    done: int = 0


class Place:
    """The folder; it may vanish or break at any time, and is made anew from SQL then."""

    def __init__(self, folder: Path) -> None:
        """Keep its path."""
        self.folder = folder

    def edition(self) -> Edition | None:
        """Give what the tables hold; None when nothing is there, or nothing that can be read."""
        body = self._read("index.json")
        with contextlib.suppress(ValueError):
            return None if body is None else Edition.model_validate(body)
        return None

    def put_edition(self, edition: Edition) -> None:
        """Let these tables be the index from now on."""
        self._write("index.json", edition.model_dump())

    def signature(self) -> tuple[int, int] | None:
        """Give something that changes when the edition does."""
        try:
            found = (self.folder / "index.json").stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def building(self) -> Building | None:
        """Give the build that is under way or was cut off."""
        body = self._read("building.json")
        with contextlib.suppress(ValueError):
            return None if body is None else Building.model_validate(body)
        return None

    def put_building(self, building: Building | None) -> None:
        """Note how far a build is; None when it is over."""
        if building is None:
            (self.folder / "building.json").unlink(missing_ok=True)
        else:
            self._write("building.json", building.model_dump())

    def to_erase(self) -> dict[str, set[int]]:
        """Give the pieces of each table that still hold removed text."""
        body = self._read("erase.json") or {}
        return {name: set(pieces) for name, pieces in body.items()}

    def put_to_erase(self, pieces: dict[str, set[int]]) -> None:
        """Note them."""
        kept = {name: sorted(some) for name, some in pieces.items() if some}
        if kept:
            self._write("erase.json", kept)
        else:
            (self.folder / "erase.json").unlink(missing_ok=True)

    def quarantine(self) -> Path | None:
        """Put the folder aside, since it is broken; gives where, None when there was none. Only the last is kept."""
        if not self.folder.exists():
            return None
        self.clear_quarantine(everything=True)
        aside = self.folder.with_name(f"{self.folder.name}.broken-{now():%Y%m%d%H%M%S%f}")
        self.folder.rename(aside)
        return aside

    def remove(self) -> None:
        """Remove the folder and what was put aside."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.clear_quarantine(everything=True)

    def clear_quarantine(self, *, everything: bool) -> None:
        """Remove what was put aside a day ago, or `everything`: it may hold what somebody wants forgotten."""
        for old in self.folder.parent.glob(f"{self.folder.name}.broken-*"):
            if everything or now().timestamp() - old.stat().st_mtime > KEEP_BROKEN.total_seconds():
                shutil.rmtree(old, ignore_errors=True)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Be the only writer on this machine for a while; waits for another to end. A killed one holds nothing."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_name(f"{self.folder.name}.lock").open("w") as lock:
            while True:
                try:
                    _take(lock.fileno())
                    break
                except OSError:
                    await asyncio.sleep(_LOCK_PAUSE)
            yield

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            body = json.loads((self.folder / name).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return body if isinstance(body, dict) else None

    def _write(self, name: str, body: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / f"{name}.new"
        with fresh.open("w", encoding="utf-8") as stream:
            json.dump(body, stream)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self.folder / name)
