"""What the offline assistant does not do again, since an earlier version of the conversation did it; and says so."""

from collections.abc import Sequence
from dataclasses import replace

from core.masking import same_masked
from workers.llm.offline import render
from workers.llm.offline.decide import Next, Wanted
from workers.llm.offline.talk import DONE, Exchange
from workers.llm.port import DoneBefore

MOST_TOLD, MOST_VALUE = 5, 60


def hold_back(step: Next, talk: Sequence[Exchange], done: Sequence[DoneBefore]) -> Next:
    """Leave out the calls that were made before; say once what stays done."""
    if not done:
        return step
    current = talk[-1]
    calls = tuple(call for call in step.calls if not any(_is_same(call, one) for one in done))
    held = len(calls) < len(step.calls)
    text = step.text
    if held and not calls and current.steps:
        text = text or render.results(current, talk)
    if not current.reply:
        text = "\n\n".join(part for part in (_note(done, held=held), text) if part)
    return replace(step, text=text, calls=calls)


def _is_same(call: Wanted, one: DoneBefore) -> bool:
    return call.name == one.call.name and same_masked(one.call.arguments, call.arguments)


def _note(done: Sequence[DoneBefore], *, held: bool) -> str:
    named = "\n".join(f"- {_named(one)}" for one in done[-MOST_TOLD:])
    more = f"\n- and {len(done) - MOST_TOLD} more" if len(done) > MOST_TOLD else ""
    again = "\n\nI do not do that again." if held else ""
    return f"This was done before you changed the conversation, and it stays done:\n{named}{more}{again}"


def _named(one: DoneBefore) -> str:
    values = ", ".join(f"{name}: {_short(value)}" for name, value in one.call.arguments.items())
    unsure = "" if one.status == DONE else " (nobody knows yet whether it took effect)"
    return f"`{one.call.name}` {values}".rstrip() + unsure


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= MOST_VALUE else text[: MOST_VALUE - 1] + "…"
