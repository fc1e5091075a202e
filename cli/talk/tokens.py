"""Tokens for programs on the command line."""

from collections.abc import Sequence

from cli.talk.conversations import change
from cli.talk.proving import once_proved
from cli.talk.screen import Screen
from cli.talk.server import Server
from core.clock import now
from core.permissions import Scope
from core.views import ApiTokenView


async def list_tokens(server: Server, screen: Screen, *, everybody: bool) -> None:
    """Show one's own tokens, or everybody's."""
    page = await server.get("/tokens", limit=100, everybody=str(everybody).lower())
    if screen.json:
        screen.data(page)
        return
    views = [ApiTokenView.model_validate(item) for item in page["items"]]
    rows = [(one.id, f"...{one.hint}", one.name, " ".join(one.scopes), _used(one), _state(one)) for one in views]
    screen.table(("ID", "ENDS IN", "NAME", "SCOPES", "LAST USED", "STATE"), rows)


async def create_token(server: Server, screen: Screen, name: str, days: int | None, scopes: Sequence[Scope]) -> None:
    """Make a token and show it, which happens only once."""
    body = {"name": name, "days": days} | ({"scopes": [scope.value for scope in scopes]} if scopes else {})
    answer = await once_proved(server, screen, lambda: server.post("/tokens", body))
    if screen.json:
        screen.data(answer)
        return
    view = ApiTokenView.model_validate(answer["token"])
    screen.say(f"{view.id} may {' and '.join(view.scopes)}; {_state(view)}. This is shown only once:")
    screen.show(str(answer["secret"]))


async def revoke_token(server: Server, screen: Screen, token_id: str) -> None:
    """End a token."""
    await change(server, screen, "POST", f"/tokens/{token_id}/revoke", None, "Revoked:")


def _used(view: ApiTokenView) -> str:
    return f"{view.last_used_at:%Y-%m-%d %H:%M}" if view.last_used_at else "never"


def _state(view: ApiTokenView) -> str:
    if view.revoked_at is not None:
        return "revoked"
    if view.expires_at is None:
        return "holds for ever"
    return f"{'over since' if view.expires_at <= now() else 'until'} {view.expires_at:%Y-%m-%d}"
