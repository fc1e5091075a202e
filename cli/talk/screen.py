"""What a command writes: answers on stdout (words or JSON), notices on stderr; never a control character."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.text import reveal

_KEPT = frozenset("\n\t")
_WIDE = 4000  # columns of a pipe


def clean(text: object) -> str:
    """Drop C0, C1 and ESC from anything that came from elsewhere, which a terminal obeys; write hidden ones out."""
    return reveal("".join(one for one in str(text) if one in _KEPT or unicodedata.category(one) not in {"Cc", "Cs"}))


def one_line(text: object) -> str:
    """Return clean text on one line."""
    return " ".join(clean(text).split())


def _console(file: TextIO) -> Console:
    """Write to a terminal in its width; a pipe gets rows that are not broken."""
    width = None if file.isatty() else _WIDE
    return Console(file=file, markup=False, highlight=False, emoji=False, soft_wrap=True, width=width)


class Screen:
    """Two streams and one choice: words or JSON."""

    def __init__(self, *, as_json: bool = False) -> None:
        """Write to the process's own streams."""
        self.json = as_json
        self._out = _console(sys.stdout)
        self._notices = _console(sys.stderr)

    @property
    def interactive(self) -> bool:
        """Whether a person is at both ends, who can be asked."""
        return not self.json and sys.stdin.isatty() and sys.stdout.isatty()

    def show(self, text: object = "", style: str = "") -> None:
        """Write a line of the answer."""
        self._out.print(Text(clean(text), style))

    def stream(self, text: str) -> None:
        """Write a piece of the answer at once, without a line's end."""
        self._out.file.write(clean(text))
        self._out.file.flush()

    def say(self, text: object, style: str = "") -> None:
        """Write a notice."""
        self._notices.print(Text(clean(text), style))

    def data(self, value: Any) -> None:
        """Write JSON: escaped to ASCII, so that no character can act on a terminal."""
        self._out.file.write(json.dumps(value, indent=2, default=str) + "\n")
        self._out.file.flush()

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write rows under heads; the first column is never cut, since one copies ids."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for place, head in enumerate(heads):
            table.add_column(head, no_wrap=place == 0, overflow="fold")
        for row in rows:
            table.add_row(*(Text(one_line(cell)) for cell in row))
        self._out.print(table, soft_wrap=False)
