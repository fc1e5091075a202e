"""The people of a workspace on the command line."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cli.talk.conversations import change
from cli.talk.proving import once_proved
from cli.talk.screen import Screen
from cli.talk.server import Server


async def list_users(server: Server, screen: Screen) -> None:
    """Show everybody in the workspace."""
    page = await server.get("/users", limit=100)
    if screen.json:
        screen.data(page)
        return
    rows = [(one["id"], one["email"], one["name"], one["role"], _state(one)) for one in page["items"]]
    screen.table(("ID", "E-MAIL", "NAME", "ROLE", "STATE"), rows)


async def invite(server: Server, screen: Screen, email: str, role: str) -> None:
    """Make an invitation and show its link, which is shown only once."""
    answer = await once_proved(server, screen, lambda: server.post("/invitations", {"email": email, "role": role}))
    if screen.json:
        screen.data(answer)
        return
    link = answer.get("url") or f"{server.credentials.url.rstrip('/')}/#invitation={answer['token']}"
    screen.show(f"Invited {email} as {role}. Give them this link; it works once:")
    screen.show(link)


async def set_role(server: Server, screen: Screen, user: str, role: str) -> None:
    """Give a person another role."""
    user_id = await find_person(server, user)
    await change(server, screen, "PATCH", f"/users/{user_id}", {"role": role}, f"Now {role}:")


async def disable(server: Server, screen: Screen, user: str) -> None:
    """Sign a person out everywhere and refuse them from now on."""
    user_id = await find_person(server, user)
    await change(server, screen, "POST", f"/users/{user_id}/disable", None, "Disabled:")


async def set_manager(server: Server, screen: Screen, user: str, manager: str | None) -> None:
    """Say whom a person reports to, None for nobody."""
    user_id = await find_person(server, user)
    manager_id = await find_person(server, manager) if manager else None
    await change(server, screen, "PATCH", f"/users/{user_id}", {"manager_id": manager_id}, "Changed:")


async def state_same(server: Server, screen: Screen, user: str, other: str | None) -> None:
    """State that two users are one person; None takes it back."""
    path = f"/users/{await find_person(server, user)}/same-person-as"
    if other is None:
        await change(server, screen, "DELETE", path, None, "Counted on their own again:")
    else:
        await change(
            server, screen, "POST", path, {"user_id": await find_person(server, other)}, "Counted as one person now:"
        )


async def find_person(server: Server, user: str) -> str:
    """Return the id of a person who is named by id or e-mail."""
    if "@" not in user:
        return quote(user, safe="")
    page = await server.get("/users", limit=100)
    return next((str(one["id"]) for one in page["items"] if one["email"] == user.lower()), quote(user, safe=""))


def _state(user: Mapping[str, Any]) -> str:
    state = "disabled" if user.get("disabled_at") else "active"
    return f"{state} service" if user.get("kind") == "service" else state
