"""Facts in SQL: what is remembered of a person, each person's own, learnt once, edited, and forgotten for good."""

import unicodedata
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, Invalid, NotFound, TooLarge
from core.events import FactsChanged
from core.ids import Id, new_id
from core.permissions import Principal
from core.secrecy import looks_secret
from core.store import changes, forgetting, outbox, streams
from core.store.work import Work
from core.tables.memory import Fact
from core.tables.people import Membership
from core.values import Value
from core.views import FactView

LONGEST = 1000
MOST = 1000
SAID, BY_MODEL, WRITTEN = "said", "model", forgetting.WRITTEN


class FactsFull(Conflict):
    """A person has as many facts as are kept."""

    code, title = "facts_full", "Too many facts"


class Whose(Protocol):
    """Somebody in a workspace: a principal, or whoever a turn is of."""

    @property
    def workspace_id(self) -> str:
        """The workspace."""

    @property
    def user_id(self) -> str:
        """The person."""


class Origin(Value):
    """Whose fact it is and where it is from. `how`: said (`remember ...`), model, or written by hand."""

    workspace_id: Id
    user_id: Id
    how: str = WRITTEN
    conversation_id: Id | None = None
    turn_id: Id | None = None
    message_id: Id | None = None


def written_by(who: Principal) -> Origin:
    """Give the origin of what a person writes down by hand."""
    return Origin(workspace_id=who.workspace_id, user_id=who.user_id)


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None, q: str | None = None
) -> tuple[list[FactView], str | None, int]:
    """Give the person's facts (those that contain `q`), newest first; the next cursor; the true total."""
    statement = _own(who)
    if q is not None and fold(q):
        statement = statement.where(Fact.folded.contains(fold(q), autoescape=True))
    total = (await session.execute(select(func.count()).select_from(statement.subquery()))).scalar_one()
    if cursor is not None:
        if not cursor.startswith("fct_"):
            message = "This is not a cursor that a list gave."
            raise Invalid(message)
        statement = statement.where(Fact.id < cursor)
    rows = list((await session.execute(statement.order_by(Fact.id.desc()).limit(limit + 1))).scalars())
    following = rows[limit - 1].id if len(rows) > limit else None
    return [fact_view(row) for row in rows[:limit]], following, total


async def one(session: AsyncSession, who: Principal, fact_id: str) -> FactView:
    """Give one of the person's facts; raises NotFound."""
    return fact_view(await _load(session, who, fact_id))


async def texts(session: AsyncSession, whose: Whose, limit: int) -> Sequence[str]:
    """Give the newest facts' texts of a person."""
    newest = _own(whose).order_by(Fact.id.desc()).limit(limit)
    return [row.text for row in (await session.execute(newest)).scalars()]


async def add(work: Work, origin: Origin, text: str) -> tuple[FactView, bool]:
    """Keep a fact; one that says the same is given instead, and False.

    Raises Invalid, TooLarge and FactsFull. The caller may hold a conversation's lock, and no person's.
    """
    said = _checked(text)
    membership_id = await _lock_person(work, origin)
    known = await _same(work.session, origin, said)
    if known is not None:
        return fact_view(known), False
    count = select(func.count()).select_from(_own(origin).subquery())
    if (await work.session.execute(count)).scalar_one() >= MOST:
        message = f"At most {MOST} facts are kept of a person: forget some first."
        raise FactsFull(message)
    at = now()
    row = Fact(
        id=new_id("fct"),
        text=said,
        folded=fold(said),
        origin=origin.how,
        created_at=at,
        updated_at=at,
        **origin.model_dump(exclude={"how"}),
    )
    work.session.add(row)
    await work.session.flush()
    await _tell(work, membership_id, row.id)
    return fact_view(row), True


async def edit(work: Work, who: Principal, fact_id: str, text: str) -> FactView:
    """Put another text in a fact's place: it is the person's own word now. Raises NotFound, Invalid, Conflict."""
    said = _checked(text)
    membership_id = await _lock_person(work, who)
    row = await _load(work.session, who, fact_id)
    same = await _same(work.session, who, said)
    if same is not None and same.id != row.id:
        message = "Another fact says the same."
        raise Conflict(message, fact_id=same.id)
    if row.text != said:
        row.text, row.folded, row.origin, row.updated_at = said, fold(said), WRITTEN, now()
        await work.session.flush()
        outbox.put(work, outbox.WIPE, new_id("wip"), {})
        await _tell(work, membership_id, row.id)
    return fact_view(row)


async def forget(work: Work, who: Whose, fact_id: str) -> None:
    """Remove a fact, and never recall again where it was said, or repeated word for word. Raises NotFound."""
    row = await _load(work.session, who, fact_id)
    if row.message_id is not None:
        await forgetting.forget_said(work, row.message_id, who.user_id)
    await forgetting.forget_repeats(work, who, row.text)
    membership_id = await _lock_person(work, who)
    gone = delete(Fact).where(Fact.id == fact_id).returning(Fact.id)
    if (await work.session.execute(gone)).first() is None:
        raise _missing()
    outbox.put(work, outbox.WIPE, new_id("wip"), {})
    await _tell(work, membership_id, fact_id)


def is_full(workspace_id: Any, user_id: Any) -> ColumnElement[bool]:
    """Whether a person has as many facts as are kept: to be selected beside something else."""
    count = select(func.count(Fact.id)).where(Fact.workspace_id == workspace_id, Fact.user_id == user_id)
    return count.scalar_subquery() >= MOST


async def called(session: AsyncSession, whose: Whose, text: str) -> str | None:
    """Give the id of the one fact that says this, or that alone contains it; None when none or several do."""
    same = await _same(session, whose, text)
    if same is not None:
        return same.id
    if not fold(text):
        return None
    holding = _own(whose).where(Fact.folded.contains(fold(text), autoescape=True)).limit(2)
    found = (await session.execute(holding)).scalars().all()
    return found[0].id if len(found) == 1 else None


def fold(text: str) -> str:
    """Give the text without case, spacing and final stops: two facts that fold alike say the same."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(" .!")


def fact_view(row: Fact) -> FactView:
    """Show a fact."""
    return FactView.model_validate(row.model_dump(include=set(FactView.model_fields)))


def _own(whose: Whose) -> Select[Fact]:
    return select(Fact).where(Fact.workspace_id == whose.workspace_id, Fact.user_id == whose.user_id)


def _checked(text: str) -> str:
    said = " ".join(text.split())
    if len(said) > LONGEST:
        message = f"A fact has at most {LONGEST} characters; this has {len(said)}."
        raise TooLarge(message)
    if not fold(said):
        message = "The text is blank."
        raise Invalid(message)
    if looks_secret(said):
        message = "This looks like a password, a key or a card number; those are not kept as facts."
        raise Invalid(message)
    return said


async def _same(session: AsyncSession, whose: Whose, text: str) -> Fact | None:
    statement = _own(whose).where(Fact.folded == fold(text)).limit(1)
    return (await session.execute(statement)).scalar_one_or_none()


async def _load(session: AsyncSession, who: Whose, fact_id: str) -> Fact:
    statement = _own(who).where(Fact.id == fact_id)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise _missing()
    return row


async def _lock_person(work: Work, whose: Whose) -> str:
    """Lock the person's place in the workspace, so that two doors never keep one fact twice; gives its id."""
    statement = (
        select(Membership.id)
        .where(Membership.workspace_id == whose.workspace_id, Membership.user_id == whose.user_id)
        .with_for_update()
    )
    return (await work.session.execute(statement)).scalar_one()


async def _tell(work: Work, membership_id: str, fact_id: str) -> None:
    changes.note(work, "fact", fact_id)
    await streams.notify(work, membership_id, FactsChanged(fact_ids=(fact_id,)))


def _missing() -> NotFound:
    return NotFound("There is no such fact.")
