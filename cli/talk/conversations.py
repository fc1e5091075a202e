"""Conversations on the command line."""

from typing import Any

from cli.talk.proving import once_proved
from cli.talk.screen import Screen
from cli.talk.server import Server
from core.errors import NotFound
from core.views import ConversationView, MessageView


async def list_conversations(server: Server, screen: Screen, limit: int) -> None:
    """Show the newest conversations."""
    page = await server.get("/conversations", limit=limit)
    if screen.json:
        screen.data(page)
        return
    views = [ConversationView.model_validate(item) for item in page["items"]]
    screen.table(("ID", "UPDATED", "TITLE"), [(one.id, f"{one.updated_at:%Y-%m-%d %H:%M}", one.title) for one in views])
    if page["total"] > len(views):
        screen.say(f"{page['total'] - len(views)} more: raise --limit.")


async def show_conversation(server: Server, screen: Screen, conversation_id: str, limit: int) -> None:
    """Show a conversation's newest messages."""
    conversation = await server.get(f"/conversations/{conversation_id}")
    page = await server.get(f"/conversations/{conversation_id}/messages", limit=limit)
    if screen.json:
        screen.data({"conversation": conversation, "messages": page})
        return
    view = ConversationView.model_validate(conversation)
    screen.show(view.title or "Untitled", "bold")
    for item in page["items"]:
        message = MessageView.model_validate(item)
        screen.show(f"{message.role}  {message.created_at:%Y-%m-%d %H:%M}", "dim")
        screen.show(message.text)


async def change(
    server: Server, screen: Screen, method: str, path: str, body: dict[str, Any] | None, done: str
) -> None:
    """Send one change and say that it is done; where it takes a fresh proof of who this is, ask for that first."""
    answer = await once_proved(server, screen, lambda: server.ask(method, path, body=body))
    if screen.json:
        screen.data(answer)
    elif answer and "id" in answer:
        screen.show(f"{done} {answer['id']}")
    else:
        screen.show(done.rstrip(":"))


async def stop_conversation(
    server: Server, screen: Screen, conversation_id: str | None, *, queued: bool, waiting: bool
) -> None:
    """Stop what is open in a conversation, the latest when none is named."""
    found = conversation_id
    if found is None:
        view = await latest(server)
        if view is None:
            message = "There is no conversation yet."
            raise NotFound(message)
        found = view.id
    page = await server.ask("POST", f"/conversations/{found}/stop", query={"queued": queued, "waiting": waiting})
    if screen.json:
        screen.data(page)
        return
    count = page["total"]
    screen.show("Nothing runs there." if not count else f"Stopped {count} answer{'s' if count > 1 else ''}.")


async def latest(server: Server) -> ConversationView | None:
    """Return the conversation that was talked in last."""
    page = await server.get("/conversations", limit=1)
    return ConversationView.model_validate(page["items"][0]) if page["items"] else None


async def open_conversation(server: Server, conversation_id: str | None, *, new: bool) -> ConversationView:
    """Return the named conversation, else the latest, else a new one; raises NotFound."""
    if conversation_id:
        view = ConversationView.model_validate(await server.get(f"/conversations/{conversation_id}"))
        if view.deleted_at:
            message = "This conversation is deleted: restore it first."
            raise NotFound(message)
        return view
    found = None if new else await latest(server)
    return found or ConversationView.model_validate(await server.post("/conversations", {}))
