"""What is always allowed, on the command line: chosen with a consent, listed, revoked."""

from typing import Any

import typer

from cli.talk.conversations import change
from cli.talk.screen import Screen
from cli.talk.server import Server
from core.clock import now
from core.errors import Invalid
from core.text import reveal
from core.views import ApprovalView, GrantView

DAY = 86_400


async def choose(
    server: Server, screen: Screen, approval: ApprovalView, *, days: int, uses: int | None, sure: bool
) -> dict[str, Any]:
    """Show what would always be allowed and return it as a decision takes it; the tightest unless somebody widens it.

    Raises Invalid when this one cannot be always allowed.
    """
    offer = await server.get(f"/approvals/{approval.id}/grant-suggestion")
    if not offer["may_remember"]:
        message = "This one cannot be always allowed: decide about this call alone."
        raise Invalid(message)
    patterns, says = dict(offer["patterns"]), {}
    for choice in offer["choices"]:
        picked = 0 if sure else _pick(screen, choice["argument"], choice["says"])
        patterns[choice["argument"]] = choice["options"][picked]
        says[choice["argument"]] = choice["says"][picked]
    often = f"{uses} times at most" if uses else "however often"
    screen.say(f"From now on, {reveal(approval.action)} passes unasked for {days} days, {often}, when:")
    for name, words in says.items():
        screen.say(f"  {reveal(name)} is {reveal(words)}")
    screen.say("  and nothing else is given.")
    return {"patterns": patterns, "seconds": days * DAY, "uses": uses}


def _pick(screen: Screen, argument: str, says: list[str]) -> int:
    """Ask how wide an argument may be; without an answer as tight as can be."""
    if len(says) == 1:
        return 0
    screen.say(f"{reveal(argument)} may be:")
    for number, words in enumerate(says, 1):
        screen.say(f"  {number}  {reveal(words)}")
    picked: int = typer.prompt("Which", default=1, type=int, err=True)
    return min(max(picked, 1), len(says)) - 1


async def list_grants(server: Server, screen: Screen, *, everybody: bool) -> None:
    """Show what passes unasked, and what one gave to others."""
    page = await server.get("/grants", limit=100, everybody=str(everybody).lower())
    if screen.json:
        screen.data(page)
        return
    views = [GrantView.model_validate(item) for item in page["items"]]
    rows = [(one.id, reveal(one.user_name), reveal(one.action), _says(one), _uses(one), _state(one)) for one in views]
    screen.table(("ID", "WHOSE CALLS", "ACTION", "WHEN", "USES", "STATE"), rows)


async def revoke_grant(server: Server, screen: Screen, grant_id: str) -> None:
    """End a grant."""
    await change(server, screen, "POST", f"/grants/{grant_id}/revoke", None, "Revoked:")


def _says(view: GrantView) -> str:
    return ", ".join(f"{reveal(name)} is {reveal(words)}" for name, words in view.says.items()) or "without arguments"


def _uses(view: GrantView) -> str:
    return f"{view.uses} of {view.uses + view.uses_left}" if view.uses_left is not None else str(view.uses)


def _state(view: GrantView) -> str:
    if view.revoked_at is not None:
        return "revoked"
    if view.uses_left == 0:
        return "used up"
    given = f" by {reveal(view.granted_by_name)}"
    return f"{'over since' if view.expires_at <= now() else 'until'} {view.expires_at:%Y-%m-%d}{given}"
