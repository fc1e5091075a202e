"""Deciding in a chat, by button or by code: each request a decision of its own, for the digest that was shown there."""

from collections import Counter
from collections.abc import Sequence

from api.channels.desk import Desk, Heard
from api.intake import Decided
from core.errors import AssentError, TooMany, Unavailable
from core.tables.connect import Delivery
from core.text import reveal
from core.values import ApprovalState, DecisionVerdict

Shown = tuple[str, str]
"""A request's id, and its digest as a prompt showed it."""
_DONE = {ApprovalState.APPROVED: "Approved", ApprovalState.REJECTED: "Rejected"}


def chosen(row: Delivery, number: str | None) -> list[Shown]:
    """Give the requests that a button or a code stands for, all or one; none where there are not so many."""
    batch = [(str(approval_id), str(digest)) for approval_id, digest in row.body.get("batch") or ()]
    if not batch and number is None:
        return [(row.approval_id or "", str(row.body.get("digest") or ""))]
    if number is None:
        return batch
    return batch[int(number) - 1 : int(number)]


class Deciding:
    """Hands decisions in, and gives what came of them in few words."""

    def __init__(self, desk: Desk) -> None:
        """Take what answering works with."""
        self._desk = desk

    async def decide(
        self, heard: Heard, requests: Sequence[Shown], verdict: DecisionVerdict, comment: str | None = None
    ) -> str:
        """Decide each; the decisions are named by the event, so that telling it twice is deciding once.

        Raises what `Intake.submit_decision` does for one alone, and TooMany, Unavailable: later, for any.
        """
        event_id = heard.event.event_id
        if len(requests) == 1:
            return await self._decide(heard, event_id, requests[0], verdict, comment)
        said: Counter[str] = Counter()
        for number, shown in enumerate(requests, 1):
            try:
                words = await self._decide(heard, f"{event_id}:{number}", shown, verdict, comment)
                said[words.partition(":")[0]] += 1
            except (TooMany, Unavailable):
                raise
            except AssentError as error:
                said[error.detail] += 1
        return " ".join(f"{count}: {words.rstrip('.')}." for words, count in said.items())

    async def _decide(
        self, heard: Heard, decision_id: str, shown: Shown, verdict: DecisionVerdict, comment: str | None
    ) -> str:
        who = heard.person
        await self._desk.limits.check("decision", who.user_id)
        approval_id, digest = shown
        decided = await self._desk.intake.submit_decision(
            who, heard.channel, approval_id, verdict, digest, decision_id, comment
        )
        return _in_words(decided, verdict)


def _in_words(decided: Decided, verdict: DecisionVerdict) -> str:
    view = decided.approval
    title = reveal(view.title)[:80]
    if decided.state == "received":
        return f"Kept, and counted as soon as the server can: {title}"
    if view.state in _DONE:
        return f"{_DONE[ApprovalState(view.state)]}: {title}"
    yours = "approval" if verdict is DecisionVerdict.APPROVE else "rejection"
    return f"Your {yours} counts; others are still to answer: {title}"
