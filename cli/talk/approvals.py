"""Approvals on the command line: all that would run is shown, and a decision quotes the digest that was shown."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import typer

from cli.talk.editing import changed_arguments
from cli.talk.ending import ServerError, WrongUsage
from cli.talk.grants import choose
from cli.talk.proving import once_proved
from cli.talk.screen import Screen, one_line
from cli.talk.server import Server
from cli.talk.values import lines_of
from core.clock import now
from core.errors import Invalid
from core.permissions import Door
from core.text import reveal
from core.values import ApprovalState, DecisionVerdict
from core.views import ApprovalView, DeciderView


class Show(Protocol):
    """Writes one line, in a style."""

    def __call__(self, text: object, style: str = "") -> None:
        """Write it."""


SHORT = 12  # characters of a digest that people compare
_DOORS: dict[str, str] = {
    Door.REST: "the API",
    Door.SOCKET: "the page",
    Door.WEB: "the page",
    Door.CLI: "the command line",
}
_HIDDEN = "Hidden characters are written as [U+....]."


async def load(server: Server, approval_id: str) -> ApprovalView:
    """Fetch one approval."""
    return ApprovalView.model_validate(await server.get(f"/approvals/{approval_id}"))


@dataclass(frozen=True)
class Lasting:
    """That the like is always allowed from now on: for so many days, so often at most."""

    days: int
    uses: int | None


@dataclass(frozen=True)
class Edit:
    """That other arguments are approved: NAME=VALUE each, or as the person writes them in an editor."""

    said: tuple[str, ...]
    write: bool


async def decide(
    server: Server,
    approval: ApprovalView,
    verdict: DecisionVerdict,
    comment: str | None,
    remember: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Send a decision for exactly what `approval` shows; `remember`: and what is always allowed with it.

    `arguments`: those are approved instead.
    """
    body: dict[str, Any] = {"verdict": verdict, "digest": approval.digest, "comment": comment}
    body |= {"decision_id": f"cli-{uuid.uuid4()}"}
    body |= {"remember": remember} if remember else {}
    body |= {} if arguments is None else {"arguments": arguments}
    answer: dict[str, Any] = await server.post(f"/approvals/{approval.id}/decision", body)
    return answer


async def list_approvals(server: Server, screen: Screen, state: str | None, limit: int) -> None:
    """Show a page of approvals."""
    page = await server.get("/approvals", state=state, limit=limit)
    if screen.json:
        screen.data(page)
        return
    views = [ApprovalView.model_validate(item) for item in page["items"]]
    rows = [(one.id, one.state, one.risk, headline(one), remaining(one)) for one in views]
    screen.table(("ID", "STATE", "RISK", "TITLE", "TIME LEFT"), rows)
    if page["total"] > len(views):
        screen.say(f"{page['total'] - len(views)} more: raise --limit.")


async def show_approval(server: Server, screen: Screen, approval_id: str) -> None:
    """Show one approval in full."""
    if screen.json:
        screen.data(await server.get(f"/approvals/{approval_id}"))
    else:
        render(screen, await load(server, approval_id))


async def decide_approval(
    server: Server,
    screen: Screen,
    approval_id: str,
    verdict: DecisionVerdict,
    comment: str | None,
    *,
    sure: bool,
    lasting: Lasting | None = None,
    edit: Edit | None = None,
) -> int:
    """Show what would run, ask a person who is there, and send the decision; returns the exit code.

    Raises WrongUsage when nobody is there and `sure` does not say that it is meant.
    """
    if not (sure or screen.interactive):
        message = "Nobody can be asked here whether this is meant: add --yes."
        raise WrongUsage(message)
    approval = await load(server, approval_id)
    if not screen.json:
        render(screen, approval)
    if approval.arguments_cut and verdict is DecisionVerdict.APPROVE:
        message = "Not all arguments can be shown here, so they cannot be approved here: open the page."
        raise Invalid(message)
    arguments = await changed_arguments(server, screen, approval, edit.said, write=edit.write) if edit else None
    remember = None
    if lasting is not None:
        remember = await choose(server, screen, approval, days=lasting.days, uses=lasting.uses, sure=sure)
    if not sure and not confirmed(approval, verdict):
        screen.say("Nothing was decided.")
        return 1
    answer = await once_proved(server, screen, lambda: decide(server, approval, verdict, comment, remember, arguments))
    if screen.json:
        screen.data(answer)
    else:
        tell(screen, answer)
    return 0


def confirmed(approval: ApprovalView, verdict: DecisionVerdict) -> bool:
    """Ask the person once more, in words that say what will happen."""
    return bool(typer.confirm(f"{verdict.value.capitalize()}: {headline(approval)}?", err=True))


def tell(screen: Screen, answer: Mapping[str, Any]) -> None:
    """Say what became of a decision."""
    approval = ApprovalView.model_validate(answer["approval"])
    if approval.state in {ApprovalState.PENDING, ApprovalState.REQUESTED}:
        screen.show("The decision is kept; it takes effect as soon as the workflow is reachable.")
    else:
        screen.show(outcome(approval))


def outcome(approval: ApprovalView) -> str:
    """Return what an approval came to, and who decided."""
    who = f" by {reveal(approval.decided_by_name)}" if approval.decided_by_name else ""
    where = f" on {door_name(approval.decided_door)}" if approval.decided_door else ""
    why = f": {reveal(approval.comment)}" if approval.comment else ""
    return f"{approval.state.capitalize()}{who}{where}{why}"


def door_name(door: str) -> str:
    """Name the door that a decision came through, in words."""
    return _DOORS.get(door) or reveal(door)


def render(screen: Screen, approval: ApprovalView, *, notice: bool = False) -> None:
    """Write the whole request: risk first, every argument, what would change, the model's word apart."""
    show = screen.say if notice else screen.show
    show("")
    show(f"{approval.risk.upper()}  {headline(approval)}", "bold yellow")
    show(f"  action     {reveal(approval.action)} ({reveal(approval.title)})")
    for line in lines_of(approval.arguments):
        show(f"    {line}")
    if approval.arguments_cut:
        show("    (some arguments are too long to be shown here: open the page)", "bold red")
    _render_preview(show, approval)
    if approval.reason:
        whose = "the assistant's" if approval.turn_id else f"{reveal(approval.requester_name)}'s"
        show(f"  {whose} own words, not checked: {reveal(approval.reason)}", "dim")
    show(f"  who decides  {deciders(approval)}")
    state = remaining(approval) if approval.state == ApprovalState.PENDING else outcome(approval)
    show(f"  state      {state}")
    show(f"  digest     {approval.digest[:SHORT]}    id {approval.id}")
    if has_hidden(approval):
        show(f"  {_HIDDEN}", "bold red")


def _render_preview(show: Show, approval: ApprovalView) -> None:
    preview = approval.preview
    for change in preview.changes:
        before, after = reveal(change.before or "nothing"), reveal(change.after or "nothing")
        show(f"    {reveal(change.label)}: {before} -> {after}")
    show(f"  {'can be undone' if preview.reversible else 'cannot be undone'}")
    if preview.cost:
        show(f"  cost       {one_line(reveal(preview.cost))}")
    for warning in preview.warnings:
        show(f"  warning: {reveal(warning)}", "bold red")


def headline(approval: ApprovalView) -> str:
    """Return on one line what would happen: the connector's summary of these arguments, else the action's name."""
    return one_line(reveal(approval.preview.summary or approval.title))


def has_hidden(approval: ApprovalView) -> bool:
    """Whether anything shown has a character that a person would not see."""
    preview = approval.preview
    texts = [approval.title, approval.action, approval.reason or "", preview.summary, *preview.warnings]
    texts += [preview.cost or ""]
    texts += [part for one in preview.changes for part in (one.label, one.before or "", one.after or "")]
    texts += lines_of(approval.arguments, shown=False)
    return any(reveal(text) != text for text in texts)


def deciders(approval: ApprovalView) -> str:
    """Write who may decide."""
    return " or ".join(_decider(one) for one in approval.deciders) or "nobody"


def _decider(one: DeciderView) -> str:
    return f"{reveal(one.name)} for {reveal(one.in_place_of)}" if one.in_place_of else reveal(one.name)


def remaining(approval: ApprovalView) -> str:
    """Write the time left to decide, or the state when that is over."""
    if approval.state != ApprovalState.PENDING:
        return outcome(approval)
    return f"pending, {span(approval.expires_at)} left"


def span(until: datetime) -> str:
    """Write the time from now to `until`, by its two largest units."""
    seconds = max(0, int((until - now()).total_seconds()))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def is_settled(error: ServerError) -> bool:
    """Whether a decision was refused because somebody, or the clock, was first."""
    return error.named in {"already_decided", "expired"}
