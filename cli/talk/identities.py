"""A person's accounts on channels, on the command line."""

import typer

from cli.talk.conversations import change
from cli.talk.ending import WrongUsage
from cli.talk.people import find_person
from cli.talk.proving import once_proved
from cli.talk.screen import Screen, one_line
from cli.talk.server import Server
from core.views import IdentityView, LinkView


async def begin_link(server: Server, screen: Screen, channel: str) -> None:
    """Make a code for an account on a channel, and say what to do with it."""
    answer = await once_proved(server, screen, lambda: server.post("/identities/links", {"channel": channel}))
    if screen.json:
        screen.data(answer)
        return
    link = LinkView.model_validate(answer["link"])
    address = answer.get("address")
    screen.say(f"Good until {link.expires_at:%H:%M} UTC, once. Say this to the bot there, then confirm there:")
    screen.show(address or f"/link {answer['code']}")


async def confirm_link(server: Server, screen: Screen, code: str, *, yes: bool) -> int | None:
    """Show which account asked for a code, and link it once the person said that it is theirs."""
    found = await server.post("/identities/pairings/look-up", {"code": code})
    link = LinkView.model_validate(found)
    name = f"{link.shown_as or 'nameless'} ({link.channel} {link.external_id})"
    if not yes and not screen.interactive:
        message = f"Nobody can be asked here whether the account {name} is theirs: add --yes."
        raise WrongUsage(message)
    if not yes and not _confirmed(name):
        screen.say("Nothing was linked.")
        return 1
    path, said = "/identities/pairings/confirm", f"Linked {name}:"
    await once_proved(server, screen, lambda: change(server, screen, "POST", path, {"code": code}, said))
    return None


def _confirmed(name: str) -> bool:
    return bool(typer.confirm(f"Link {one_line(name)}? Whoever has this account will act as you.", err=True))


async def list_identities(server: Server, screen: Screen, user: str | None) -> None:
    """Show one's own linked accounts, or (owners and admins) somebody's."""
    of = {"user_id": await find_person(server, user)} if user else {}
    page = await server.get("/identities", limit=100, **of)
    if screen.json:
        screen.data(page)
        return
    views = [IdentityView.model_validate(item) for item in page["items"]]
    rows = [
        (one.id, one.channel, one.shown_as, one.external_id, f"{one.linked_at:%Y-%m-%d}", _state(one)) for one in views
    ]
    screen.table(("ID", "CHANNEL", "NAME THERE", "ID THERE", "SINCE", "STATE"), rows)


async def remove_identity(server: Server, screen: Screen, identity_id: str) -> None:
    """Unlink an account."""
    await change(server, screen, "DELETE", f"/identities/{identity_id}", None, "Unlinked:")


def _state(view: IdentityView) -> str:
    return "linked" if view.broken_at is None else "not reached: write to the bot"
