"""Rows as the doors show them."""

from core.masking import mask, secret_paths
from core.tables.consent import Approval
from core.tables.talk import Conversation, Message
from core.tables.work import ToolCall, Turn
from core.views import (
    ApprovalView,
    ConversationView,
    MessageView,
    ProblemView,
    ToolCallView,
    TurnView,
)


def conversation_view(row: Conversation) -> ConversationView:
    """Show a conversation."""
    return ConversationView.model_validate(row.model_dump(include=set(ConversationView.model_fields)))


def message_view(row: Message) -> MessageView:
    """Show a message."""
    known = row.model_dump(include=set(MessageView.model_fields))
    return MessageView.model_validate({**known, "suggestions": row.suggestions or ()})


def turn_view(row: Turn) -> TurnView:
    """Show a turn, with its error as a problem."""
    error = ProblemView(code=row.error_code, detail=row.error_detail or "") if row.error_code else None
    known = row.model_dump(include=set(TurnView.model_fields) - {"error"})
    return TurnView.model_validate({**known, "error": error})


def call_view(row: ToolCall, approval_id: str | None) -> ToolCallView:
    """Show a tool call, its secrets masked, with the approval it waited or waits for."""
    known = row.model_dump(include=set(ToolCallView.model_fields) - {"approval_id"})
    arguments = mask(row.secrets, row.arguments)
    return ToolCallView.model_validate({**known, "arguments": arguments, "approval_id": approval_id})


def _with_absent(row: Approval, name: str | None) -> str | None:
    """Name who decided, and for whom if it was in somebody's place: "Ben for Ana"."""
    seats = (vote["in_place_of"] for vote in row.votes if vote["decision_id"] == row.decision_id)
    absent = next(seats, None) if row.decision_id else None
    return f"{name} for {absent}" if name and absent else name


def approval_view(
    row: Approval, requester_name: str, decided_by_name: str | None, edited_by_name: str | None = None
) -> ApprovalView:
    """Show an approval, its secrets masked, with the names of who asked, decided and edited."""
    known = row.model_dump(include=set(ApprovalView.model_fields))
    secrets = secret_paths(row.schema_ or {}) if row.secrets is None else row.secrets
    return ApprovalView.model_validate(
        {
            **known,
            "arguments": mask(secrets, row.arguments),
            "requester_name": requester_name,
            "decided_by_name": _with_absent(row, decided_by_name),
            "edited_by_name": edited_by_name,
            "arguments_schema": row.schema_,
            # Of a turn's own request its call tells that, with an event; nothing here may change without one.
            "consumed_at": row.consumed_at if row.tool_call_id is None else None,
        }
    )
