"""What the doors show of conversations, their messages and versions."""

from datetime import datetime
from typing import Any

from core.values import Value
from core.views.turns import TurnView


class ConversationView(Value):
    """A conversation in a list."""

    id: str
    title: str
    mode: str
    when_busy: str = "queue"
    origin_channel: str
    owner_id: str
    active_branch_id: str | None = None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


class MessageView(Value):
    """One message; `text_cut` when an event left out a text that is too long for it (fetch the message).

    `thread_id` is the message that its thread hangs on, `edit_of_id` the version that it replaces. Of replies:
    `intent` with its `confidence` (0 to 1), and `suggestions` of what to say next.
    """

    id: str
    conversation_id: str
    turn_id: str
    branch_id: str | None = None
    position: int
    role: str
    author_id: str | None
    text: str
    text_cut: bool = False
    message_type: str
    channel: str
    client_message_id: str | None
    reply_to_id: str | None = None
    thread_id: str | None = None
    edit_of_id: str | None = None
    intent: str | None = None
    confidence: float | None = None
    suggestions: tuple[str, ...] = ()
    forgotten_at: datetime | None = None
    model: str | None
    usage: dict[str, Any] | None
    response_time_ms: int | None
    created_at: datetime


class BranchView(Value):
    """A version of a conversation from the turn `replaces_turn_id` on; `reason`: edit or regenerate.

    With a `thread_id` only that thread goes another way.
    """

    id: str
    conversation_id: str
    parent_id: str | None
    forked_at: int
    thread_id: str | None = None
    replaces_turn_id: str
    reason: str
    created_by: str
    created_at: datetime


class VersionView(Value):
    """One version of what was said at a point: `branch_id` None is the first; `active`: it is the one that is shown.

    `reason`: original, edit or regenerate.
    """

    branch_id: str | None
    reason: str
    active: bool
    message: MessageView
    turn: TurnView


class DoneView(Value):
    """A call that stays done though the turn that made it was replaced; `state`: done, running or unknown."""

    tool_call_id: str
    action: str
    state: str


class ModeView(Value):
    """A way of answering. `tools`: connectors or actions, None: all; limits None: as set for the server."""

    name: str
    title: str
    prompt: str
    model: str | None = None
    tier: str | None = None
    tools: tuple[str, ...] | None = None
    rounds: int | None = None
    tool_calls: int | None = None
    max_tokens: int | None = None
    built_in: bool = False


class SummaryView(Value):
    """One version of what a branch's turns up to the place `upto_place` came to; `model` wrote it."""

    id: str
    conversation_id: str
    branch_id: str | None
    version: int
    upto_place: int
    text: str
    model: str
    created_at: datetime


class ThreadView(Value):
    """A thread: the message that it hangs on, how many were said in it, and when the last was."""

    id: str
    conversation_id: str
    messages: int
    last_at: datetime


class UnreadView(Value):
    """How many messages of others a person has not read in a conversation yet."""

    conversation_id: str
    unread: int


class ReadView(Value):
    """How far somebody has read a conversation: up to the message at `position`."""

    conversation_id: str
    user_id: str
    position: int
    at: datetime
