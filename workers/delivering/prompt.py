"""A request for consent as people are asked on a channel: written by code from what would run, risk first."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.asked import is_answered
from core.codes import code_of
from core.consent import Assurance, level
from core.ids import secret_hash
from core.outgoing import Button, Fact, Headline, Link, OutMessage, Part, Plain, Quoted
from core.store.approvals import QUESTION
from core.text import has_hidden, on_a_line, reveal
from core.values import ApprovalState, Value
from core.views import MAX_COST, ApprovalView, VoteView

MOST_CHARACTERS = 300
MOST_UNLINKED = 3000
"""Of one value, where no link leads to the rest of it: what is longer still cannot be decided there."""
MOST_FACTS = 40
_REASON = 600
RISKS = {
    "read": "READS",
    "write": "CHANGES SOMETHING",
    "external_comms": "SPEAKS TO OTHERS",
    "money": "MONEY",
    "destructive": "DESTROYS SOMETHING",
    "admin": "ADMINISTRATION",
}
_ENDED = {
    ApprovalState.APPROVED: "Approved",
    ApprovalState.REJECTED: "Rejected",
    ApprovalState.EXPIRED: "Expired: nobody decided in time, so nothing was done",
    ApprovalState.WITHDRAWN: "Withdrawn: nobody needs to decide any more",
    ApprovalState.VOID: "Void: what it was asked under has changed; you are asked again if it is still wanted",
}
_DOORS = {"rest": "the API", "socket": "the web", "web": "the web", "cli": "the command line"}


class Reader(Value):
    """Whom the prompt is for, and what may be done where it is read.

    `token` is what the buttons carry and the code is made of, `link` an address that shows the request, `asked` whether
    the person may still decide, `may_remember` whether they may always allow the like of it.
    """

    user_id: str
    zone: str | None = None
    assurance: Assurance = Assurance.L2
    asked: bool = True
    token: str | None = None
    link: str | None = None
    may_remember: bool = False


def write_prompt(view: ApprovalView, reader: Reader) -> OutMessage:
    """Write a request as it stands now, with buttons and a code only where these can decide it."""
    facts, _ = facts_of(view, _most(reader))
    parts: list[Part] = [Headline(text=_headline(view)), *_head(view, reader), *facts]
    if not _is_whole(view, reader):
        parts.append(Plain(text="Not all of it fits here: it has to be opened to be decided."))
    parts += _about(view, reader)
    rows: tuple[tuple[Button, ...], ...] = ()
    if reader.token is not None and wants_buttons(view, reader):
        rows = (_buttons(reader.token),)
    if reader.link is not None and view.state == ApprovalState.PENDING:
        decided_here = reader.token is not None and can_decide(view, reader)
        parts.append(Link(text="Open it" if decided_here else "Decide on the web", url=reader.link))
    return OutMessage(parts=tuple(parts), buttons=rows)


def _most(reader: Reader) -> int:
    return MOST_CHARACTERS if reader.link is not None else MOST_UNLINKED


def _is_whole(view: ApprovalView, reader: Reader) -> bool:
    """Whether all of it is shown, or a link leads to the rest of what is long."""
    return len(_named(view)) <= MOST_FACTS and (reader.link is not None or not is_cut(view, MOST_UNLINKED))


def _buttons(token: str) -> tuple[Button, ...]:
    return (
        Button(label="Approve", data=f"a1:{token}:y", tone="approve"),
        Button(label="Reject", data=f"a1:{token}:n", tone="reject"),
    )


def can_decide(view: ApprovalView, reader: Reader) -> bool:
    """Whether this person can decide it here: open, asked, not answered yet, sure enough, no form, all of it shown."""
    answered = any(vote.user_id == reader.user_id and vote.stage == view.stage for vote in view.votes)
    sure = level(reader.assurance) >= level(view.plan.assurance)
    open_here = view.state == ApprovalState.PENDING and reader.asked and not view.arguments_cut
    return open_here and sure and not answered and not _wants_form(view) and _is_whole(view, reader)


def wants_buttons(view: ApprovalView, reader: Reader) -> bool:
    """Whether this person can decide it by a button: no words are needed."""
    return can_decide(view, reader) and not view.plan.comment_required


def _wants_form(view: ApprovalView) -> bool:
    """Whether a service asks something that has to be written: yes and no are not enough."""
    return view.origin == QUESTION and not is_answered(view.arguments_schema, view.arguments)


def _headline(view: ApprovalView) -> str:
    return f"{RISKS.get(view.risk, view.risk.upper())}: {on_a_line(view.title)[:MOST_CHARACTERS]}"


def _head(view: ApprovalView, reader: Reader) -> Iterator[Part]:
    yield from standing(view, reader.zone)
    asker = on_a_line(view.requester_name) or "A program"
    edited = f", changed by {on_a_line(view.edited_by_name)}" if view.edited_by_name else ""
    asked = f"In the middle of {view.action}" if view.origin == QUESTION else f"{asker} asks for {view.action}"
    yield Plain(text=f"{asked}{edited}. {on_a_line(view.preview.summary)}".strip())
    for warning in view.preview.warnings:
        yield Plain(text=f"Warning: {on_a_line(warning)}")
    if has_hidden(json.dumps(view.arguments, ensure_ascii=False)):
        yield Plain(text="Warning: it contains hidden characters, shown as [U+....].")


def standing(view: ApprovalView, zone: str | None) -> Iterator[Part]:
    """Say how a request ended, or that more people may decide it since some time."""
    if view.state != ApprovalState.PENDING:
        yield Plain(text=_ended(view, zone))
    elif view.escalated_at is not None:
        yield Plain(text=f"Escalated, {_clock(view.escalated_at, zone)}: more people may decide it since.")


def _ended(view: ApprovalView, zone: str | None) -> str:
    """Say how a request ended: "Approved by Ana on Telegram, 14:02 UTC"."""
    text = _ENDED.get(ApprovalState(view.state), view.state)
    if view.decided_by_name and view.state in {ApprovalState.APPROVED, ApprovalState.REJECTED}:
        door = view.decided_door or ""
        text += f" by {on_a_line(view.decided_by_name)}" + (
            f" on {_DOORS.get(door, door.capitalize())}" if door else ""
        )
    at = f", {_clock(view.decided_at, zone)}" if view.decided_at else ""
    comment = f": {on_a_line(view.comment)[:MOST_CHARACTERS]}" if view.comment else ""
    return f"{text}{at}{comment}."


def facts_of(view: ApprovalView, most: int = MOST_CHARACTERS) -> tuple[list[Part], bool]:
    """Give each argument and change as a part, values cut at `most` characters, and whether these are all of them."""
    named = _named(view)
    parts: list[Part] = [Fact(label=on_a_line(label)[:80], text=_cut(text, most)) for label, text in named[:MOST_FACTS]]
    return parts, len(named) <= MOST_FACTS


def is_cut(view: ApprovalView, most: int = MOST_CHARACTERS) -> bool:
    """Whether some value is longer than what is shown of it."""
    return any(len(text) > most for _, text in _named(view))


def _named(view: ApprovalView) -> list[tuple[str, str]]:
    changes = [(f"{change.label} (change)", _arrow(change.before, change.after)) for change in view.preview.changes]
    return [*_flat(None, view.arguments), *changes]


def _arrow(before: str | None, after: str | None) -> str:
    return f"{before if before is not None else '(nothing)'} → {after if after is not None else '(nothing)'}"


def _flat(name: str | None, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(_step(key) if name is None else f"{name}.{_step(key)}", item)
    elif isinstance(value, list) and value:
        for place, item in enumerate(value, 1):
            yield from _flat(f"{name}[{place}]", item)
    elif name is not None:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _step(key: str) -> str:
    """Write a name; one that nobody would see in quotes."""
    return key if key.strip() else json.dumps(key)


def _cut(text: str, most: int) -> str:
    """Show a value on few lines: line ends as a mark, what is hidden as its number, the rest counted."""
    shown = on_a_line(text[: most * 2])
    strange = " (letters of several alphabets)" if _mixes_alphabets(text) else ""
    more = len(text) - most
    return f"{shown[:most]}… +{more} more{strange}" if more > 0 else f"{shown}{strange}"


def _mixes_alphabets(text: str) -> bool:
    """Whether some word has both Latin letters and ones that look like them."""
    for word in text.split():
        latin = any("a" <= one.lower() <= "z" for one in word)
        if latin and any("\u0370" <= one <= "\u058f" for one in word):
            return True
    return False


def effect_of(view: ApprovalView) -> str:
    """Say whether it can be undone, and what it costs where the connector says so."""
    undone = "It can be undone." if view.preview.reversible else "It cannot be undone."
    return f"{undone} Cost: {_cut(view.preview.cost, MAX_COST)}" if view.preview.cost else undone


def _about(view: ApprovalView, reader: Reader) -> Iterator[Part]:
    yield Plain(text=effect_of(view))
    if view.reason:
        text = reveal(view.reason)
        cut = text[:_REASON] + ("…" if len(text) > _REASON else "")
        yield Quoted(label="The assistant says (nobody checked this)", text=cut)
    if view.votes:
        yield Plain(text="So far: " + "; ".join(map(_vote, view.votes)) + ".")
    if view.state != ApprovalState.PENDING:
        return
    yield Plain(text=_who(view))
    yield Plain(text=f"Expires {when(view.expires_at, reader.zone)}. Digest {view.digest[:12]}.")
    yield from _why_not_here(view, reader)
    if reader.token is not None and can_decide(view, reader):
        yield Plain(text=_by_code(view, code_of(secret_hash(reader.token))))
        if reader.may_remember:
            yield Plain(text=f"To always allow the like of it, {'open it' if reader.link else 'decide on the web'}.")


def _by_code(view: ApprovalView, code: str) -> str:
    if view.plan.comment_required:
        return f"This needs a comment: write /approve {code} and your comment, or /reject {code} and why."
    return f"By text: /approve {code}, or /reject {code}; what you write after it is your comment."


def _why_not_here(view: ApprovalView, reader: Reader) -> Iterator[Part]:
    if not reader.asked:
        yield Plain(text="You are not asked any more: others decide now.")
    elif level(reader.assurance) < level(view.plan.assurance):
        yield Plain(text="This needs a fresh proof of who you are, so it is decided on the web.")
    elif view.plan.comment_required and reader.token is None:
        yield Plain(text="This needs a comment, so it is decided on the web.")
    elif _wants_form(view):
        names = ", ".join(on_a_line(one)[:40] for one in (view.arguments_schema or {}).get("properties", {}))
        yield Plain(text=f"It asks for: {names}. This is answered on the web.")


def _vote(vote: VoteView) -> str:
    seat = f" for {on_a_line(vote.in_place_of)}" if vote.in_place_of else ""
    verb = "approved" if vote.verdict == "approve" else "rejected"
    return f"{on_a_line(vote.name)}{seat} {verb}"


def _who(view: ApprovalView) -> str:
    names = [on_a_line(one.name) for one in view.deciders[:4]]
    more = len(view.deciders) - len(names)
    listed = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    needed = sum(need.count for need in view.plan.stages[min(view.stage, len(view.plan.stages) - 1)].needs)
    step = f" Step {view.stage + 1} of {len(view.plan.stages)}." if len(view.plan.stages) > 1 else ""
    count = f" {needed} of them have to." if needed > 1 else ""
    return f"May decide: {listed or 'nobody just now'}.{count}{step}"


def write_reminder(views: Sequence[ApprovalView], link: str | None, zone: str | None) -> OutMessage:
    """Tell somebody again of what waits for them."""
    lines = [f"Still waiting for you: {on_a_line(one.title)}, until {when(one.expires_at, zone)}." for one in views]
    links = (Link(text="Open it", url=link),) if link else ()
    return OutMessage(parts=(*(Plain(text=line) for line in lines), *links))


def _clock(at: datetime, zone: str | None) -> str:
    return f"{at.astimezone(_zone(zone)):%H:%M %Z}"


def when(at: datetime, zone: str | None) -> str:
    """Give a time as its reader's clock and calendar have it."""
    return f"{at.astimezone(_zone(zone)):%Y-%m-%d %H:%M %Z}"


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
