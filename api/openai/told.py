"""What both formats tell of a turn beside its text: the extension `assent`, the usage, the error of one that failed."""

from collections.abc import Iterable
from typing import Any

from api.openai.desk import Desk, Submitted
from api.openai.follow import Said, Standing, Waits
from api.openai.telling import Telling, link_to, notice_of
from core.errors import AssentError, BudgetExhausted, Unavailable
from core.store import usage
from core.values import TurnState
from core.views import ApprovalView, ProblemView

TOLD_HEADERS = ("X-Assent-Conversation", "X-Assent-Turn", "X-Client-Message-Id", "X-Request-Id")
_QUOTA = "budget_exhausted"
_AWAY = frozenset({"model_unavailable", "model_rate_limited", "model_timed_out"})
_TOO_LONG = "context_too_long"


class TurnFailed(AssentError):
    """The turn was not answered; sending the same request again gives the same turn."""

    code, status, title = "turn_failed", 500, "The turn failed"


class ContextTooLong(AssentError):
    """The talk does not fit into the model."""

    code, status, title = "context_length_exceeded", 400, "Too long"


class StillRunning(Unavailable):
    """The answer is not there yet; the same request again waits on."""

    code, title = "still_running", "Still running"


def failure_of(error: ProblemView | None) -> AssentError:
    """Give the error that a failed turn is for the client."""
    code, detail = (error.code, error.detail) if error else ("turn_failed", "The turn failed.")
    if code == _QUOTA:
        return BudgetExhausted(detail, final=True)
    if code in _AWAY:
        return Unavailable(detail, error_code=code, final=True)
    if code == _TOO_LONG:
        return ContextTooLong(detail, final=True)
    return TurnFailed(detail, error_code=code, final=True)


def check_answered(standing: Standing) -> None:
    """Raise what stands in the way of an answer; one that was stopped, or that waits for people, is one."""
    if standing.state is TurnState.FAILED:
        raise failure_of(standing.turn.error)
    if not standing.state.is_terminal and not standing.waits_for:
        message = "The answer takes longer. The turn goes on: send the same request again to wait for it."
        raise StillRunning(message, retry_after=1.0)


def extension(submitted: Submitted, standing: Standing | None, base: str) -> dict[str, Any]:
    """Give what Assent says of a turn; OpenAI's clients keep it as an extra member."""
    known: dict[str, Any] = {
        "conversation_id": submitted.conversation_id,
        "turn_id": submitted.turn_id,
        "client_message_id": submitted.client_message_id,
    }
    if standing is None:
        return known
    return known | {
        "state": standing.state.value,
        "model": standing.reply.model if standing.reply else None,
        "approvals": [_approval(one, base) for one in standing.waits_for],
    }


def _approval(view: ApprovalView, base: str) -> dict[str, Any]:
    return {
        "id": view.id,
        "url": link_to(view, base),
        "action": view.action,
        "risk": view.risk,
        "title": view.title,
        "summary": view.preview.summary,
        "digest": view.digest,
        "expires_at": view.expires_at.isoformat(),
    }


def notices(approvals: Iterable[ApprovalView], base: str) -> str:
    """Say all that people are asked."""
    return "\n\n".join(notice_of(one, base) for one in approvals)


def piece_of(telling: Telling, step: Said | Waits, base: str) -> str:
    """Give what a step adds to what a client was told."""
    if isinstance(step, Said):
        return telling.go_on(step.text)
    return telling.put_in(notices(step.fresh, base))


def headers_of(submitted: Submitted) -> dict[str, str]:
    """Give the headers that name the turn and its conversation."""
    return {
        "X-Assent-Conversation": submitted.conversation_id,
        "X-Assent-Turn": submitted.turn_id,
        "X-Client-Message-Id": submitted.client_message_id,
        "X-Request-Id": submitted.turn_id,
    }


async def used_by(desk: Desk, turn_id: str, sent_name: str, got_name: str) -> dict[str, Any] | None:
    """Give the tokens of a turn as the providers counted them, under a format's names; None when they did not."""
    async with desk.database.reading() as session:
        found = await usage.of_turn(session, turn_id)
    sent, got, cached = found["input_tokens"], found["output_tokens"], found["cached_tokens"]
    if sent is None or got is None:
        return None
    used = {f"{sent_name}_tokens": sent, f"{got_name}_tokens": got, "total_tokens": sent + got}
    return used if cached is None else used | {f"{sent_name}_tokens_details": {"cached_tokens": cached}}
