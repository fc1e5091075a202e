"""Like requests that came together, in one message: each numbered with all it would do, each with its own buttons."""

from collections.abc import Sequence

from core.codes import code_of
from core.ids import secret_hash
from core.outgoing import Button, Headline, Link, OutMessage, Part, Plain, Quoted
from core.text import on_a_line, reveal
from core.values import ApprovalState
from core.views import ApprovalView
from workers.delivering.prompt import (
    RISKS,
    Reader,
    can_decide,
    effect_of,
    facts_of,
    is_cut,
    standing,
    wants_buttons,
    when,
)

MOST_FACTS = 40


def fitting(views: Sequence[ApprovalView], most: int, *, linked: bool) -> int:
    """Count how many, from the first, fit into one message with all they would do; `linked`: it leads to the rest."""
    facts = 0
    for number, view in enumerate(views):
        parts, is_whole = facts_of(view)
        facts += len(parts)
        is_whole = is_whole and (linked or not is_cut(view))
        if not is_whole or facts > MOST_FACTS or number >= most or not _is_simple(view):
            return number
    return len(views)


def _is_simple(view: ApprovalView) -> bool:
    """Whether one person's press is all that it takes: whatever needs more is asked by itself."""
    plan = view.plan
    return len(plan.stages) == 1 and sum(need.count for need in plan.stages[0].needs) == 1


def write_batch(views: Sequence[ApprovalView], reader: Reader) -> OutMessage:
    """Write them as they stand now. `reader.link` is the inbox."""
    first = views[0]
    risk = RISKS.get(first.risk, first.risk.upper())
    parts: list[Part] = [Headline(text=f"{risk}: {len(views)} requests for {first.action}")]
    parts.append(Plain(text=f"{on_a_line(first.requester_name) or 'A program'} asks. Each can be answered by itself."))
    for number, view in enumerate(views, 1):
        parts += _item(number, view, reader.zone)
    open_ones = [number for number, view in enumerate(views, 1) if wants_buttons(view, reader)]
    if any(can_decide(view, reader) for view in views):
        parts.append(Plain(text=f"Expires {when(min(view.expires_at for view in views), reader.zone)}."))
    parts += _by_code(views, reader)
    if reader.link is not None and any(view.state == ApprovalState.PENDING for view in views):
        parts.append(Link(text="Open the inbox", url=reader.link))
    rows = _rows(reader.token, open_ones) if reader.token is not None else ()
    return OutMessage(parts=tuple(parts), buttons=rows)


def _by_code(views: Sequence[ApprovalView], reader: Reader) -> list[Part]:
    """Say how to decide by text, and where the like may always be allowed."""
    numbers = [number for number, view in enumerate(views, 1) if can_decide(view, reader)]
    if reader.token is None or not numbers:
        return []
    code = code_of(secret_hash(reader.token))
    which = f"{code}-{numbers[0]} (number {numbers[0]})" + (f" or {code} (all)" if len(numbers) > 1 else "")
    lines = [f"By text: /approve or /reject, then {which}; what you write after it is your comment."]
    if any(views[number - 1].plan.comment_required for number in numbers):
        lines.append("A comment is needed.")
    if reader.may_remember:
        lines.append(f"To always allow the like of it, {'open one' if reader.link else 'decide on the web'}.")
    return [Plain(text=line) for line in lines]


def _item(number: int, view: ApprovalView, zone: str | None) -> list[Part]:
    parts: list[Part] = [Headline(text=f"{number}. {on_a_line(view.title)[:200]}"), *standing(view, zone)]
    if view.state != ApprovalState.PENDING:
        return parts
    if view.preview.summary:
        parts.append(Plain(text=on_a_line(view.preview.summary)[:200]))
    parts += [Plain(text=f"Warning: {on_a_line(warning)}") for warning in view.preview.warnings]
    parts += facts_of(view)[0]
    parts.append(Plain(text=effect_of(view)))
    if view.reason:
        parts.append(Quoted(label="The assistant says (nobody checked this)", text=reveal(view.reason)[:200]))
    return parts


def _rows(token: str, numbers: Sequence[int]) -> tuple[tuple[Button, ...], ...]:
    rows = [_pair(token, str(number), str(number)) for number in numbers]
    if len(numbers) > 1:
        rows.append(_pair(token, f"all {len(numbers)}", ""))
    return tuple(rows)


def _pair(token: str, label: str, number: str) -> tuple[Button, ...]:
    return (
        Button(label=f"Approve {label}", data=f"a1:{token}:y{number}", tone="approve"),
        Button(label=f"Reject {label}", data=f"a1:{token}:n{number}", tone="reject"),
    )
