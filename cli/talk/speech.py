"""The text of a running answer, and how it appears in a terminal, which cannot take back what it has written."""

from cli.talk.screen import Screen
from core.events import TurnDelta


class Speech:
    """One turn's text: `text` is what is true, `written` is what the terminal shows."""

    def __init__(self, screen: Screen) -> None:
        """Begin empty."""
        self.text = ""
        self._written = ""
        self._attempt = 0
        self._screen = screen

    @property
    def is_open(self) -> bool:
        """Whether the terminal is in the middle of a line of this text."""
        return bool(self._written) and not self._written.endswith("\n")

    def add(self, delta: TurnDelta) -> bool:
        """Cut to the offset and append; False when text before it is missing."""
        if delta.attempt < self._attempt:
            return True
        if delta.offset > len(self.text):
            return False
        self._attempt = delta.attempt
        self.become(self.text[: delta.offset] + delta.text)
        return True

    def restart(self, attempt: int, offset: int) -> None:
        """Forget the text of a lost attempt; it is written anew only if it turns out different."""
        self._attempt = attempt
        self.text = self.text[:offset]

    def become(self, text: str, attempt: int | None = None) -> None:
        """Take this as the whole text so far, and write what the terminal lacks."""
        self.text = text
        self._attempt = self._attempt if attempt is None else attempt
        if self._written.startswith(text):
            return
        if text.startswith(self._written):
            self._screen.stream(text[len(self._written) :])
        else:
            self._screen.stream(f"\n{text}")
        self._written = text

    def end_line(self) -> None:
        """Go to a new line when the terminal is in the middle of one; the text may go on there."""
        if self.is_open:
            self._screen.stream("\n")
