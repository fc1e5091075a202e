"""What a reply, a look at a turn's progress or a notice says when it goes out."""

from dataclasses import dataclass

from core.outgoing import OutMessage, Part, Plain, Prose, Quoted
from core.store import speaking
from core.store.database import Database
from core.store.speaking import Spoken
from core.tables.connect import Delivery
from core.text import reveal
from core.values import TurnState
from workers.delivering.carrier import NotWanted

_QUOTED = 300


@dataclass(frozen=True)
class Replies:
    """Writes what a turn says."""

    database: Database

    async def compose(self, row: Delivery) -> OutMessage:
        """Write how a turn ended; where it was not asked, with the question. Raises NotWanted."""
        async with self.database.reading() as session:
            found = await speaking.spoken(session, row.ref)
        if found is None:
            reason = "the conversation was deleted"
            raise NotWanted(reason)
        parts = [*_question(row, found), *_answer(found)]
        return OutMessage(parts=tuple(parts))

    async def progress(self, row: Delivery) -> OutMessage:
        """Write what a turn has done so far."""
        async with self.database.reading() as session:
            steps = await speaking.steps(session, row.ref)
        lines = [f"{action} … {state}" for action, state in steps]
        return OutMessage(parts=(Plain(text="\n".join(lines) or "…"),), silent=True)


def _question(row: Delivery, found: Spoken) -> list[Part]:
    if found.asked_at == (row.channel, row.account, row.thread):
        return []
    text = reveal(found.question)
    cut = text[:_QUOTED] + ("…" if len(text) > _QUOTED else "")
    return [Quoted(label=f"{reveal(found.asker)} ({found.door})", text=cut)]


def _answer(found: Spoken) -> list[Part]:
    said: list[Part] = [Prose(text=found.text)] if found.text.strip() else []
    if found.state is TurnState.FAILED:
        return [*said, Plain(text=f"That did not work. {reveal(found.problem or '')}".strip())]
    if found.state is TurnState.STOPPED:
        return [*said, Plain(text="Stopped.")]
    return said or [Plain(text="Done.")]
