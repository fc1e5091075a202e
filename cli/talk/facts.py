"""Facts on the command line."""

from cli.talk.screen import Screen
from cli.talk.server import Server
from core.views import FactView

_FROM = {"said": "you said so", "model": "learnt from a talk", "written": "written by hand"}


async def list_facts(server: Server, screen: Screen, limit: int, find: str | None) -> None:
    """Show what is remembered, and where it is from."""
    page = await server.get("/facts", limit=limit, q=find)
    if screen.json:
        screen.data(page)
        return
    views = [FactView.model_validate(item) for item in page["items"]]
    if not views:
        screen.say("Nothing is remembered." if find is None else "Nothing fits.")
        return
    rows = [(one.id, f"{one.updated_at:%Y-%m-%d}", _FROM.get(one.origin, one.origin), one.text) for one in views]
    screen.table(("ID", "SINCE", "FROM", "FACT"), rows)
    if page["total"] > len(views):
        screen.say(f"{page['total'] - len(views)} more: raise --limit, or use --find.")
