"""Groups of people on the command line."""

from urllib.parse import quote

from cli.talk.conversations import change
from cli.talk.people import find_person
from cli.talk.screen import Screen
from cli.talk.server import Server
from core.views import GroupMemberView, GroupView


async def list_groups(server: Server, screen: Screen) -> None:
    """Show the workspace's groups."""
    page = await server.get("/groups", limit=100)
    if screen.json:
        screen.data(page)
        return
    views = [GroupView.model_validate(item) for item in page["items"]]
    screen.table(("ID", "NAME", "TITLE", "PEOPLE"), [(one.id, one.name, one.title, one.size) for one in views])


async def show_group(server: Server, screen: Screen, group: str) -> None:
    """Show who is in a group."""
    page = await server.get(f"/groups/{await find_group(server, group)}/members", limit=100)
    if screen.json:
        screen.data(page)
        return
    views = [GroupMemberView.model_validate(item) for item in page["items"]]
    screen.table(("USER", "NAME", "SINCE"), [(one.user_id, one.name, f"{one.added_at:%Y-%m-%d}") for one in views])


async def create_group(server: Server, screen: Screen, name: str, title: str) -> None:
    """Make a group."""
    await change(server, screen, "POST", "/groups", {"name": name, "title": title}, f"Made {name}:")


async def delete_group(server: Server, screen: Screen, group: str) -> None:
    """Remove a group."""
    await change(server, screen, "DELETE", f"/groups/{await find_group(server, group)}", None, "Removed.")


async def add_member(server: Server, screen: Screen, group: str, user: str) -> None:
    """Put a person into a group."""
    path = f"/groups/{await find_group(server, group)}/members"
    await change(server, screen, "POST", path, {"user_id": await find_person(server, user)}, "Added to")


async def remove_member(server: Server, screen: Screen, group: str, user: str) -> None:
    """Take a person out of a group."""
    path = f"/groups/{await find_group(server, group)}/members/{await find_person(server, user)}"
    await change(server, screen, "DELETE", path, None, "Taken out of")


async def find_group(server: Server, group: str) -> str:
    """Return the id of a group that is named by id or name."""
    if group.startswith("grp_"):
        return quote(group, safe="")
    page = await server.get("/groups", limit=100)
    return next((str(one["id"]) for one in page["items"] if one["name"] == group), quote(group, safe=""))
