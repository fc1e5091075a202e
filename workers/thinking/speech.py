"""The answer while it is spoken: made harmless, sent to the room in deltas, kept at most twice a second."""

import time

from core.events import TurnDelta
from core.rooms import Rooms
from core.store import partials
from core.store.database import Database
from core.text import clean_text
from workers.thinking.neutral import Neutralizer

DELTA_SECONDS = 0.04
DELTA_CHARACTERS = 128
KEEP_SECONDS = 0.5


class Speech:
    """One attempt's text. `before` is what earlier rounds said: offsets count from the start of the whole reply."""

    def __init__(
        self,
        database: Database,
        rooms: Rooms,
        *,
        conversation_id: str,
        turn_id: str,
        attempt: int,
        before: str,
        neutral: Neutralizer,
    ) -> None:
        """Begin silent."""
        self._database = database
        self._rooms = rooms
        self._conversation_id = conversation_id
        self._turn_id = turn_id
        self._attempt = attempt
        self._before = before
        self._neutral = neutral
        self._text = ""
        self._shown = len(before)
        self._shown_at = 0.0
        self._kept_at = time.monotonic()
        self.was_kept = False

    @property
    def is_silent(self) -> bool:
        """Whether nothing was taken yet, not even what is held back: another model may still answer instead."""
        return not self._text and self._neutral.is_empty

    @property
    def text(self) -> str:
        """What this attempt said."""
        return self._text

    @property
    def said(self) -> str:
        """The whole reply so far."""
        if self._before and self._text:
            return f"{self._before}\n\n{self._text}"
        return self._before or self._text

    async def add(self, text: str) -> None:
        """Take more text; show it at once when it is the first, or when enough time or text has come together."""
        self._text += self._neutral.push(clean_text(text))
        at = time.monotonic()
        if len(self.said) - self._shown >= DELTA_CHARACTERS or at - self._shown_at >= DELTA_SECONDS:
            self.show()
        if at - self._kept_at >= KEEP_SECONDS:
            self._kept_at = at
            await self.keep()

    def end(self) -> None:
        """Say what was held back: nothing more comes."""
        self._text += self._neutral.rest()
        self.show()

    def show(self) -> None:
        """Send what was not sent yet to the room."""
        said = self.said
        if len(said) <= self._shown:
            return
        delta = TurnDelta(
            conversation_id=self._conversation_id,
            turn_id=self._turn_id,
            attempt=self._attempt,
            offset=self._shown,
            text=said[self._shown :],
        )
        self._rooms.say(self._conversation_id, delta)
        self._shown, self._shown_at = len(said), time.monotonic()

    async def keep(self) -> None:
        """Store the text so far, so that a reload or a stop shows it."""
        self.was_kept = True
        async with self._database.scribbling() as session:
            await partials.keep(session, self._turn_id, self._attempt, self.said)
