"""Tool calls on the command line: which there are, and saying what became of those that nobody knows of."""

from cli.talk.screen import Screen
from cli.talk.server import Server
from cli.talk.values import brief
from core.text import reveal
from core.views import ToolCallView


async def list_calls(server: Server, screen: Screen, *, unknown: bool, limit: int) -> None:
    """Show calls, newest first."""
    page = await server.get("/tool-calls", limit=limit, state="unknown" if unknown else None)
    if screen.json:
        screen.data(page)
        return
    views = [ToolCallView.model_validate(item) for item in page["items"]]
    rows = [
        (one.id, one.state, f"{one.created_at:%Y-%m-%d %H:%M}", _what(one), reveal(one.detail or "")) for one in views
    ]
    screen.table(("ID", "STATE", "WHEN", "WHAT", "DETAIL"), rows)
    if page["total"] > len(views):
        screen.say(f"{page['total'] - len(views)} more: raise --limit.")


async def settle(server: Server, screen: Screen, call_id: str, outcome: str, comment: str | None) -> None:
    """Say what became of a call."""
    answer = await server.post(f"/tool-calls/{call_id}/outcome", {"outcome": outcome, "detail": comment})
    if screen.json:
        screen.data(answer)
        return
    view = ToolCallView.model_validate(answer)
    screen.show(f"{reveal(view.action)}: {view.state}. {reveal(view.detail or '')}".rstrip())


def _when(view: ToolCallView) -> str:
    return f"{view.created_at:%Y-%m-%d %H:%M}"


def _what(view: ToolCallView) -> str:
    return f"{reveal(view.action)}({brief(view.arguments, 60)})"
