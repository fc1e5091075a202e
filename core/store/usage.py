"""Usage in SQL: a model call is reserved before it is sent, settled with the provider's figures, or released."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import Id, new_id
from core.store.work import Work
from core.tables.cost import Usage
from core.values import Value

RESERVED, SETTLED, RELEASED = "reserved", "settled", "released"


class Charge(Value):
    """A model call before it is sent: whose it is, what for, and the most that it may use.

    `tokens`: of input and output together; `micros`: millionths of a US dollar, None when the price is not known.
    """

    workspace_id: Id
    user_id: Id
    conversation_id: Id | None = None
    turn_id: Id | None = None
    round: int = 0
    attempt: int = 1
    purpose: str = "reply"
    provider: str | None = None
    model: str
    tokens: int = 0
    micros: int | None = None
    complexity: str | None = None


class Figures(Value):
    """What a call used, as the provider says; None where it says nothing. `model` is the one that answered."""

    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    micros: int | None = None


async def reserve(work: Work, charge: Charge) -> str:
    """Write a reservation and give its id."""
    row = _row(charge, RESERVED)
    row.reserved_tokens, row.reserved_micros = charge.tokens, charge.micros
    work.session.add(row)
    await work.session.flush()
    return row.id


async def settle(work: Work, usage_id: str, figures: Figures) -> None:
    """Put the provider's figures in the place of a reservation."""
    _fill(await work.session.get_one(Usage, usage_id), figures)


def record(work: Work, charge: Charge, figures: Figures) -> str:
    """Write a call that was not reserved; its id is returned."""
    row = _row(charge, SETTLED)
    _fill(row, figures)
    work.session.add(row)
    return row.id


async def release(work: Work, usage_id: str) -> None:
    """Give a reservation back: the call gave no answer."""
    row = await work.session.get_one(Usage, usage_id)
    if row.state == RESERVED:
        row.state, row.settled_at = RELEASED, now()


def failed(work: Work, charge: Charge) -> None:
    """Note a call that failed without a reservation, so that the next attempt asks another model."""
    row = _row(charge, RELEASED)
    row.settled_at = now()
    work.session.add(row)


async def tried(session: AsyncSession, turn_id: str, number: int) -> list[str]:
    """Give the models that failed in this round of a turn, oldest first."""
    statement = (
        select(Usage.model)
        .where(Usage.turn_id == turn_id, Usage.round == number, Usage.state == RELEASED, Usage.purpose == "reply")
        .order_by(Usage.id)
    )
    return list((await session.execute(statement)).scalars())


def _row(charge: Charge, state: str) -> Usage:
    known = charge.model_dump(exclude={"tokens", "micros"})
    return Usage(id=new_id("use"), state=state, created_at=now(), **known)


def _fill(row: Usage, figures: Figures) -> None:
    row.state, row.settled_at = SETTLED, now()
    row.model = figures.model
    row.input_tokens, row.output_tokens = figures.input_tokens, figures.output_tokens
    row.cached_tokens, row.cost_micros = figures.cached_tokens, figures.micros
