"""Requests that came together: shown one after the other, answered with one word, judged each by itself."""

import uuid

import typer

from cli.talk.approvals import headline, load, outcome, render
from cli.talk.ending import WrongUsage
from cli.talk.screen import Screen
from cli.talk.server import Server
from core.errors import Invalid
from core.text import reveal
from core.values import ApprovalState, DecisionVerdict
from core.views import ApprovalView

MOST = 50


async def decide_batch(
    server: Server, screen: Screen, approval_id: str, verdict: DecisionVerdict, comment: str | None, *, sure: bool
) -> int:
    """Answer all that wait of the batch that this one is of; returns the exit code: 1 when some did not count."""
    if not (sure or screen.interactive):
        message = "Nobody can be asked here whether this is meant: add --yes."
        raise WrongUsage(message)
    batch = await _batch_of(server, await load(server, approval_id))
    if any(one.arguments_cut for one in batch) and verdict is DecisionVerdict.APPROVE:
        message = "Not all arguments can be shown here, so they cannot be approved here: open the page."
        raise Invalid(message)
    if not screen.json:
        for one in batch:
            render(screen, one)
    if not sure and not typer.confirm(f"{verdict.value.capitalize()} all {len(batch)}?", err=True):
        screen.say("Nothing was decided.")
        return 1
    answers = await server.ask("POST", "/approvals/decisions", body=[_answer(one, verdict, comment) for one in batch])
    if screen.json:
        screen.data(answers)
    else:
        for one, answer in zip(batch, answers, strict=True):
            screen.show(f"{headline(one)}: {_became(answer)}")
    return int(any(answer["problem"] for answer in answers))


async def _batch_of(server: Server, first: ApprovalView) -> list[ApprovalView]:
    if first.batch is None:
        message = "This one came alone: use `assent approvals approve` or `reject`."
        raise WrongUsage(message)
    page = await server.get("/approvals", mine="true", conversation_id=first.conversation_id, limit=100)
    views = [ApprovalView.model_validate(item) for item in page["items"]]
    found = [one for one in reversed(views) if one.batch == first.batch and one.state == ApprovalState.PENDING]
    if not found:
        message = "None of them waits for you."
        raise WrongUsage(message)
    return found[:MOST]


def _answer(approval: ApprovalView, verdict: DecisionVerdict, comment: str | None) -> dict[str, str | None]:
    return {
        "approval_id": approval.id,
        "verdict": verdict,
        "digest": approval.digest,
        "decision_id": f"cli-{uuid.uuid4()}",
        "comment": comment,
    }


def _became(answer: dict[str, dict[str, object] | None]) -> str:
    problem, decided = answer["problem"], answer["decided"]
    if problem:
        return reveal(str(problem["detail"]))
    view = ApprovalView.model_validate((decided or {})["approval"])
    return "waits for others" if view.state == ApprovalState.PENDING else outcome(view)
