"""What turns recalled, in SQL: stored once for each turn, told to its room."""

from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.events import RecallDone, RecallSkipped
from core.store import streams
from core.store.work import Work
from core.tables.memory import Recall
from core.views import CitationView, RecallView

DONE, SKIPPED = "done", "skipped"


async def note(work: Work, conversation_id: str, view: RecallView) -> None:
    """Keep what a turn recalled, or why it did not, and tell the room."""
    await work.session.merge(
        Recall(
            turn_id=view.turn_id,
            state=view.state,
            reason=view.reason,
            took_ms=view.took_ms,
            items=[item.model_dump(mode="json") for item in view.items],
            created_at=now(),
        )
    )
    event = RecallDone(recall=view) if view.state == DONE else RecallSkipped(recall=view)
    await streams.append(work, conversation_id, event)


async def of_turn(session: AsyncSession, turn_id: str) -> RecallView | None:
    """Give what a turn recalled; None when it looked nothing up. The caller has checked who asks."""
    row = await session.get(Recall, turn_id)
    if row is None:
        return None
    items = tuple(CitationView.model_validate(item) for item in row.items)
    return RecallView(turn_id=row.turn_id, state=row.state, reason=row.reason, took_ms=row.took_ms, items=items)
