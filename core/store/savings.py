"""What the records say could cost less: counted from calls and turns, told only where there are enough of them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from core.clock import now
from core.permissions import Principal
from core.prices import dollars
from core.store.spending import Span, theirs
from core.store.usage import REPLY
from core.tables.cost import Usage
from core.tables.talk import Branch
from core.tables.work import Turn
from core.values import TurnState
from core.views import SuggestionView

LOOK_BACK = timedelta(days=30)
ENOUGH = 20
"""So many turns, or calls, are the least that anything is said about."""
_CHEAPER = 0.8
_MUCH_INPUT = 0.9
_LITTLE_CACHED = 0.5
_MUCH_BESIDE = 0.2


@dataclass(frozen=True)
class Answered:
    """The turns of one complexity that one model alone answered at a known price; `redone`: not taken as it was."""

    complexity: str
    model: str
    turns: int
    redone: int
    tokens: int
    micros: int


@dataclass(frozen=True)
class Spending:
    """All calls of one purpose; `cacheable`: input tokens of the `cache_calls` whose provider tells what it cached."""

    purpose: str
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_calls: int
    cacheable: int
    micros: int
    unpriced: int


async def suggestions(session: AsyncSession, who: Principal) -> list[SuggestionView]:
    """Look at the last 30 days: the workspace's for owners and admins, else the person's own."""
    span = Span(since=now() - LOOK_BACK)
    by_purpose = await _by_purpose(session, who, span)
    return [
        *_cheaper_models(await _answered(session, who, span)),
        *_much_input(by_purpose),
        *_little_cached(by_purpose),
        *_much_beside(by_purpose),
    ]


async def _answered(session: AsyncSession, who: Principal, span: Span) -> list[Answered]:
    """Count turns by complexity and model; a turn that several models answered says nothing of any of them."""
    of_turn = (
        select(
            Usage.turn_id.label("turn_id"),
            func.max(Usage.complexity).label("complexity"),
            func.max(Usage.model).label("model"),
            func.sum(Usage.input_tokens + Usage.output_tokens).label("tokens"),
            func.sum(Usage.cost_micros).label("micros"),
        )
        .where(theirs(who, span), Usage.purpose == REPLY, Usage.complexity.is_not(None))
        .group_by(Usage.turn_id)
        .having(func.count(Usage.model.distinct()) == 1, func.count(Usage.cost_micros) == func.count())
        .subquery()
    )
    redone = func.sum(case((_redone(), 1), else_=0))
    statement = (
        select(
            of_turn.c.complexity,
            of_turn.c.model,
            func.count(),
            redone,
            func.coalesce(func.sum(of_turn.c.tokens), 0),
            func.sum(of_turn.c.micros),
        )
        .join(Turn, Turn.id == of_turn.c.turn_id)
        .where(Turn.state.in_([TurnState.FINISHED, TurnState.STOPPED]))
        .group_by(of_turn.c.complexity, of_turn.c.model)
        .order_by(of_turn.c.complexity, of_turn.c.model)
    )
    rows = (await session.execute(statement)).all()
    return [Answered(row[0], row[1], *(int(one) for one in row[2:])) for row in rows]


def _redone() -> Any:
    """Whether somebody stopped the answer, asked for another one, or asked differently instead."""
    again = aliased(Turn)
    return or_(
        Turn.state == TurnState.STOPPED,
        exists(select(1).where(again.retry_of == Turn.id)),
        exists(select(1).where(Branch.replaces_turn_id == Turn.id)),
    )


async def _by_purpose(session: AsyncSession, who: Principal, span: Span) -> list[Spending]:
    told = Usage.cached_tokens.is_not(None)
    sums = (
        Usage.input_tokens,
        Usage.output_tokens,
        Usage.cached_tokens,
        case((told, 1), else_=0),
        case((told, Usage.input_tokens), else_=0),
        Usage.cost_micros,
        case((Usage.cost_micros.is_(None), 1), else_=0),
    )
    statement = (
        select(Usage.purpose, func.count(), *(func.coalesce(func.sum(one), 0) for one in sums))
        .where(theirs(who, span))
        .group_by(Usage.purpose)
        .order_by(Usage.purpose)
    )
    return [Spending(row[0], *(int(one) for one in row[1:])) for row in (await session.execute(statement)).all()]


def _cheaper_models(answered: Sequence[Answered]) -> Iterator[SuggestionView]:
    enough = [one for one in answered if one.turns >= ENOUGH and one.tokens > 0]
    for dear in enough:
        others = [one for one in enough if one.complexity == dear.complexity and _would_do(one, dear)]
        if others:
            yield _instead(dear, min(others, key=lambda one: one.micros / one.tokens))


def _would_do(cheap: Answered, dear: Answered) -> bool:
    """Clearly cheaper for a token, and its answers were taken as they were at least as often."""
    cheaper = cheap.micros * dear.tokens < _CHEAPER * dear.micros * cheap.tokens
    return cheaper and cheap.redone * dear.turns <= dear.redone * cheap.turns


def _instead(dear: Answered, cheap: Answered) -> SuggestionView:
    instead = -(-dear.tokens * cheap.micros // cheap.tokens)
    saving = dear.micros - instead
    share = _percent(dear.turns, dear.turns + cheap.turns)
    text = (
        f"In the last {LOOK_BACK.days} days {dear.model} answered {dear.turns} turns of {dear.complexity} complexity "
        f"({share} of its and {cheap.model}'s) for {dollars(dear.micros)} US dollars; {dear.redone} of them "
        f"({_percent(dear.redone, dear.turns)}) were stopped, edited or tried again. {cheap.model} answered "
        f"{cheap.turns} such turns, and {cheap.redone} of them ({_percent(cheap.redone, cheap.turns)}) were. At what "
        f"{cheap.model} cost for a token, the {dear.turns} turns would have cost {dollars(instead)} US dollars."
    )
    figures = {"dear": asdict(dear), "cheap": asdict(cheap), "instead_micros": instead}
    return SuggestionView(kind="cheaper_model", text=text, saving_micros=saving, figures=figures)


def _much_input(by_purpose: Sequence[Spending]) -> Iterator[SuggestionView]:
    for one in by_purpose:
        tokens = one.input_tokens + one.output_tokens
        if one.purpose == REPLY and one.calls >= ENOUGH and tokens and one.input_tokens >= _MUCH_INPUT * tokens:
            text = (
                f"Of {tokens} tokens in {one.calls} calls for replies, {one.input_tokens} "
                f"({_percent(one.input_tokens, tokens)}) went in: instructions, tools, memory and the talk so far, "
                f"{one.input_tokens // one.calls} a call. {one.output_tokens} came out. The setting context_tokens "
                "bounds what goes in, and a new conversation begins without the talk so far."
            )
            yield SuggestionView(kind="much_input", text=text, saving_micros=None, figures=asdict(one))


def _little_cached(by_purpose: Sequence[Spending]) -> Iterator[SuggestionView]:
    for one in by_purpose:
        little = one.cached_tokens < _LITTLE_CACHED * one.cacheable
        if one.purpose == REPLY and one.cache_calls >= ENOUGH and little:
            text = (
                f"In {one.cache_calls} calls whose provider tells, {one.cached_tokens} of {one.cacheable} tokens that "
                f"went in ({_percent(one.cached_tokens, one.cacheable)}) were read from the provider's cache."
            )
            yield SuggestionView(kind="little_cached", text=text, saving_micros=None, figures=asdict(one))


def _much_beside(by_purpose: Sequence[Spending]) -> Iterator[SuggestionView]:
    beside = [one for one in by_purpose if one.purpose != REPLY]
    whole, part = sum(one.micros for one in by_purpose), sum(one.micros for one in beside)
    if sum(one.calls for one in beside) < ENOUGH or not whole or part < _MUCH_BESIDE * whole:
        return
    named = ", ".join(f"{one.purpose} {dollars(one.micros)} in {one.calls} calls" for one in beside)
    text = (
        f"Of {dollars(whole)} US dollars, {dollars(part)} ({_percent(part, whole)}) went into calls beside replies: "
        f"{named}. The setting learn_facts turns those for facts off."
    )
    figures = {"whole_micros": whole, "beside_micros": part, "purposes": [asdict(one) for one in beside]}
    yield SuggestionView(kind="much_beside_replies", text=text, saving_micros=None, figures=figures)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%" if whole else "0%"
