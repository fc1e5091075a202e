"""Delegations on the command line: who decides in whose place."""

from collections.abc import Sequence
from typing import Any

from cli.talk.conversations import change
from cli.talk.people import find_person
from cli.talk.proving import once_proved
from cli.talk.screen import Screen
from cli.talk.server import Server
from cli.talk.until import parse_until
from core.clock import now
from core.errors import Invalid
from core.text import reveal
from core.views import DelegationView


async def delegate(
    server: Server,
    screen: Screen,
    whom: str,
    until: str,
    *,
    risks: Sequence[str],
    actions: Sequence[str],
    note: str | None,
    instead_of: str | None,
) -> None:
    """Let somebody decide in one's own place, or (owners and admins) in another's."""
    ends_at = parse_until(until, now().astimezone())
    body: dict[str, Any] = {"to_user_id": await _find(server, whom), "ends_at": ends_at.isoformat(), "note": note}
    body |= {"risks": sorted(set(risks))} if risks else {}
    body |= {"actions": sorted(set(actions))} if actions else {}
    if instead_of is not None:
        body["from_user_id"] = await _find(server, instead_of)
    answer = await once_proved(server, screen, lambda: server.post("/delegations", body))
    if screen.json:
        screen.data(answer)
        return
    view = DelegationView.model_validate(answer)
    screen.show(f"{_names(view)} until {_local(view)}, {_limits(view)}. {view.id}")


async def list_delegations(server: Server, screen: Screen, *, everybody: bool) -> None:
    """Show the delegations from and to oneself, or everybody's."""
    page = await server.get("/delegations", limit=100, everybody=str(everybody).lower())
    if screen.json:
        screen.data(page)
        return
    views = [DelegationView.model_validate(item) for item in page["items"]]
    rows = [(one.id, _names(one), _limits(one), _state(one), reveal(one.note or "")) for one in views]
    screen.table(("ID", "WHO FOR WHOM", "OF", "STATE", "NOTE"), rows)


async def revoke_delegation(server: Server, screen: Screen, delegation_id: str) -> None:
    """End a delegation."""
    await change(server, screen, "POST", f"/delegations/{delegation_id}/revoke", None, "Revoked:")


async def _find(server: Server, whom: str) -> str:
    """Return the id of a person by name, id or e-mail address; raises Invalid when several have that name."""
    page = await server.get("/users", limit=100)
    named = [one["id"] for one in page["items"] if one["name"].casefold() == whom.casefold()]
    if len(named) > 1:
        message = f"More than one person here is called {whom}: give an e-mail address."
        raise Invalid(message)
    return named[0] if named else await find_person(server, whom)


def _names(view: DelegationView) -> str:
    return f"{reveal(view.to_name)} for {reveal(view.from_name)}"


def _limits(view: DelegationView) -> str:
    of = [*(view.risks or ()), *(view.actions or ())]
    return " ".join(reveal(one) for one in of) or "everything"


def _local(view: DelegationView) -> str:
    return f"{view.ends_at.astimezone():%a %Y-%m-%d %H:%M}"


def _state(view: DelegationView) -> str:
    if view.revoked_at is not None:
        return "revoked"
    return f"{'over since' if view.ends_at <= now() else 'until'} {_local(view)}"
