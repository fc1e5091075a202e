"""What is said to somebody who decided: why an answer does not count, or how the approval stands with it."""

import hashlib
from dataclasses import replace
from typing import Any

from api import outdated
from connectors.asked import is_answered
from core.clock import now
from core.errors import (
    AlreadyDecided,
    AssentError,
    Conflict,
    DigestMismatch,
    Expired,
    Invalid,
    NotAllowed,
    StepUpRequired,
)
from core.messages import DecisionMade
from core.permissions import Principal
from core.store import approvals, decisions, grants
from core.store.decisions import Answer
from core.tables.consent import Approval, Decision
from core.text import check_json, check_text
from core.values import ApprovalState, DecisionVerdict
from core.views import ApprovalView
from workflows import approval_rules

_MAX_COMMENT = 2000
_STEP_UP = "This needs a fresh proof of who you are: sign in again, or use your authenticator or passkey."
_SAID = {
    "comment_required": "Say why: this one needs a comment.",
    "already_voted": "You have answered this one already; others are still to answer.",
    "too_many_edits": "It was changed too often: reject it, and ask anew.",
    "not_needed": "What you could consent to has been given; others are still to answer.",
}
_IN_VAIN = "Consent to this would lead to nothing now."
_WISHES = {
    grants.NOT_OFFERED: "This one cannot be always allowed: decide about this call alone.",
    grants.NOT_MATCHING: "What you would always allow does not cover this very call.",
    grants.NOT_YOURS: "Only a person can always allow something, and only in their own right.",
}


def update_id(who: Principal, door: str, approval_id: str, decision_id: str) -> str:
    """Hash whose answer it is, so that nobody reads another's verdict by guessing an id."""
    parts = f"{who.user_id}\x1f{door}\x1f{approval_id}\x1f{decision_id}"
    return hashlib.sha256(parts.encode()).hexdigest()


def check_same(earlier: Decision, answer: Answer) -> None:
    """See that what is sent again is the same answer: another one must not be taken for told. Raises Conflict."""
    if (earlier.verdict, earlier.arguments) != (answer.verdict, answer.arguments):
        message = "This decision_id was used for another answer: send this one under an id of its own."
        raise Conflict(message, reason="decision_id")


def check_comment(comment: str | None) -> str | None:
    """Give a comment as it is kept: none where it is blank. Raises Invalid."""
    try:
        text = check_text(comment or "")
    except ValueError as error:
        raise Invalid(f"{error}.".capitalize()) from error
    if len(text) > _MAX_COMMENT:
        detail = f"A comment has at most {_MAX_COMMENT} characters."
        raise Invalid(detail)
    return text if text.strip() else None


def check_edit(verdict: DecisionVerdict, arguments: dict[str, Any] | None) -> None:
    """See that changed arguments can be taken at all; whether they can be used, a worker finds out. Raises Invalid."""
    if arguments is None:
        return
    if verdict is not DecisionVerdict.APPROVE:
        detail = "Only who approves can change the arguments: what is rejected does not run."
        raise Invalid(detail)
    try:
        check_json(arguments)
    except ValueError as error:
        raise Invalid(f"arguments: {error}.") from error


def refused(who: Principal, approval: Approval, made: DecisionMade | None, answer: Answer) -> str | None:
    """Give the code of why an answer cannot count, by all that the request itself says; None when it may."""
    return (
        refused_at_the_door(approval, made) or refused_wish(who, approval, made, answer) or unanswered(approval, answer)
    )


def refused_at_the_door(approval: Approval, made: DecisionMade | None) -> str | None:
    """Give the code of why this answer cannot count, before the workflow is asked; None when it may."""
    if made is None:
        return "not_allowed"
    standing = replace(
        approval_rules.begin(approvals.as_input(approval)),
        stage=approval.stage,
        expires_at=approval.expires_at,
        escalated=approval.escalated_at is not None,
    )
    code = approval_rules.refusal(standing, made, now())
    if code == "not_allowed" or approval.state == ApprovalState.PENDING:
        return code
    return "expired" if approval.state == ApprovalState.EXPIRED else "already_decided"


def refused_wish(who: Principal, approval: Approval, made: DecisionMade | None, answer: Answer) -> str | None:
    """Give the code of why an answer that would count cannot be "always allow"; None when it can, or is none."""
    if answer.remember is None or made is None:
        return None
    alone = made.model_copy(update={"in_place_of": ()})
    if who.is_program or refused_at_the_door(approval, alone) is not None:
        return grants.NOT_YOURS
    return grants.refusal_of_wish(approval, answer.remember, answer.verdict, answer.arguments)


def unanswered(approval: Approval, answer: Answer) -> str | None:
    """Give the code of why a consent says nothing: a service wants a form filled in, and it was not."""
    asks = approval.origin == approvals.QUESTION and answer.verdict is DecisionVerdict.APPROVE
    if not asks or answer.arguments is not None or is_answered(approval.schema_, approval.arguments):
        return None
    return "answer_missing"


def refusal(code: str, approval: ApprovalView, detail: str | None = None) -> AssentError:
    """Make the error that tells a person why the answer does not count.

    `detail` says what is wrong with an edit, or why consent would be in vain.
    """
    facts = {"state": approval.state, "decided_by": approval.decided_by_name, "approval_id": approval.id}
    if code == "not_allowed":
        return NotAllowed("You may not decide this one.", **facts)
    if code == "expired":
        return Expired("The time to decide is over; that is a refusal.", **facts)
    if code == "digest_mismatch":
        return DigestMismatch("This is not what you were shown: look at it again, then decide.", **facts)
    if code == "not_valid":
        return Invalid(detail or "The changed arguments cannot be used.", **facts)
    if code == "answer_missing":
        return Invalid("This asks for an answer: fill in its form, then approve.", reason=code, **facts)
    if code == "assurance_too_low":
        return StepUpRequired(_STEP_UP, **facts)
    if code in _WISHES:
        return Invalid(_WISHES[code], reason=code, **facts)
    return _conflict(code, approval, facts, detail)


def _conflict(code: str, approval: ApprovalView, facts: dict[str, Any], detail: str | None) -> AssentError:
    if code in outdated.IN_VAIN:
        return Conflict(detail or _IN_VAIN, reason=code, **facts)
    if code in _SAID:
        return Conflict(_SAID[code], reason=code, **facts)
    if code == decisions.LOST:
        return Conflict("The request was lost; ask again.", **facts)
    return AlreadyDecided(_who_decided(approval), **facts)


def _who_decided(approval: ApprovalView) -> str:
    if approval.state == ApprovalState.PENDING:
        return "Somebody else decided a moment before."
    if approval.decided_by_name is None:
        return f"It is closed: {approval.state}."
    return f"{approval.decided_by_name} decided before: {approval.state}."
