"""The child process that reads one file: `python -m workers.reading.child FILE TYPE BOUNDS`, pieces as JSON lines.

What a file makes a parser do happens here: bounded in memory and time, without network, children or writing.
"""

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.text import clean_text
from workers.reading.bounds import Bounds, Unreadable
from workers.reading.formats import Reading
from workers.reading.pieces import cut

_REFUSED = ("socket.", "subprocess.", "urllib.", "http.", "ftplib.", "smtplib.", "shutil.", "ctypes.dlopen")
_REFUSED_OF_OS = re.compile(
    r"os\.(system|exec|fork|forkpty|posix_spawn|spawn|kill|remove|rename|rmdir|mkdir|link|symlink)"
)


def main() -> None:
    """Read the file; the last line says how it went."""
    path, media_type, bounds = Path(sys.argv[1]), sys.argv[2], Bounds(**json.loads(sys.argv[3]))
    _confine(bounds)
    try:
        _write(_read(path, media_type, bounds))
    except Unreadable as error:
        _write({"failed": str(error)})
    except MemoryError:
        _write({"failed": "It takes more memory to read than a document may."})
    except RecursionError:
        _write({"failed": "It is nested too deeply."})


def _read(path: Path, media_type: str, bounds: Bounds) -> dict[str, Any]:
    reading = Reading(path, bounds)
    empty = True
    for piece in cut(reading.blocks(media_type)):
        _write({"text": clean_text(piece.text), "page": piece.page})
        empty = False
    if empty:
        message = "There is no text in it; pictures of text, such as scanned pages, are not read."
        raise Unreadable(message)
    return {"pages": reading.pages, "note": " ".join(reading.notes) or None}


def _write(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")


def _confine(bounds: Bounds) -> None:
    sys.dont_write_bytecode = True
    try:
        import resource
    except ImportError:  # Windows: what is left are the parent's clock and the bounds of each format
        return
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu_seconds, bounds.cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":  # elsewhere the limit is not kept, or not to be had
        resource.setrlimit(resource.RLIMIT_AS, (bounds.memory, bounds.memory))
    sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_REFUSED) or _REFUSED_OF_OS.fullmatch(event):
        message = f"reading a document has no need of {event}"
        raise PermissionError(message)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        message = "reading a document writes nothing"
        raise PermissionError(message)


def arguments_for(path: Path, media_type: str, bounds: Bounds) -> list[str]:
    """Give the command line that reads a file."""
    return [sys.executable, "-s", "-m", "workers.reading.child", str(path), media_type, json.dumps(asdict(bounds))]


if __name__ == "__main__":
    main()
