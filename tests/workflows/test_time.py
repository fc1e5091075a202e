"""What takes a day, on a server that skips the waiting."""

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.client import WorkflowUpdateFailedError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from core.ids import new_id
from core.messages import ApprovalInput, ApprovalOutcome, Approvers, DecisionMade
from core.values import ApprovalState, DecisionVerdict
from workflows import policies
from workflows.approval import Approval

pytestmark = pytest.mark.server
DAY = timedelta(hours=24)


@pytest.fixture(scope="module")
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    program = Path(sys.executable).with_name("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(program), data_converter=pydantic_data_converter
    ) as environment:
        yield environment


class Desk:
    """The two activities of an approval, and what they heard."""

    def __init__(self) -> None:
        self.closed: list[ApprovalOutcome] = []

    @activity.defn(name="open_approval")
    async def open_approval(self, approval_id: str) -> bool:
        return bool(approval_id)

    @activity.defn(name="close_approval")
    async def close_approval(self, outcome: ApprovalOutcome) -> None:
        self.closed.append(outcome)


class TestDay:
    async def test_without_an_answer_is_a_refusal(self, skipping: WorkflowEnvironment):
        desk = Desk()
        began = await skipping.get_current_time()
        request = _request(began + DAY)
        async with _working(skipping, desk):
            outcome = await skipping.client.execute_workflow(
                Approval.run, request, id=f"approval-{request.approval_id}", task_queue=policies.TURNS_QUEUE
            )

        assert outcome.state == ApprovalState.EXPIRED
        assert desk.closed == [outcome]
        assert outcome.at is not None
        assert outcome.at >= request.expires_at
        assert await skipping.get_current_time() - began >= DAY

    async def test_an_answer_counts_until_just_before_its_end(self, skipping: WorkflowEnvironment):
        desk = Desk()
        request = _request(await skipping.get_current_time() + DAY)
        async with _working(skipping, desk):
            handle = await skipping.client.start_workflow(
                Approval.run, request, id=f"approval-{request.approval_id}", task_queue=policies.TURNS_QUEUE
            )
            await skipping.sleep(DAY - timedelta(minutes=1))
            await handle.execute_update(Approval.decide, _decision(request))
            outcome = await handle.result()

        assert outcome.state == ApprovalState.APPROVED

    async def test_an_answer_to_another_digest_is_refused(self, skipping: WorkflowEnvironment):
        request = _request(await skipping.get_current_time() + DAY)
        async with _working(skipping, Desk()):
            handle = await skipping.client.start_workflow(
                Approval.run, request, id=f"approval-{request.approval_id}", task_queue=policies.TURNS_QUEUE
            )
            with pytest.raises(WorkflowUpdateFailedError) as caught:
                await handle.execute_update(Approval.decide, _decision(request).model_copy(update={"digest": "e" * 64}))
            outcome = await handle.result()

        assert isinstance(caught.value.cause, ApplicationError)
        assert caught.value.cause.type == "digest_mismatch"
        assert outcome.state == ApprovalState.EXPIRED


def _request(expires_at) -> ApprovalInput:
    return ApprovalInput(
        approval_id=new_id("apr"),
        requester_id=new_id("usr"),
        approvers=Approvers(requester=True),
        digest="d" * 64,
        expires_at=expires_at,
    )


def _decision(request: ApprovalInput) -> DecisionMade:
    return DecisionMade(
        decision_id=new_id("dec"),
        user_id=request.requester_id,
        role="member",
        verdict=DecisionVerdict.APPROVE,
        digest=request.digest,
    )


def _working(skipping: WorkflowEnvironment, desk: Desk):
    return _Both(
        Worker(
            skipping.client,
            task_queue=policies.TURNS_QUEUE,
            workflows=[Approval],
        ),
        Worker(skipping.client, task_queue=policies.STEPS_QUEUE, activities=[desk.open_approval, desk.close_approval]),
    )


class _Both:
    def __init__(self, *workers: Worker) -> None:
        self._workers = workers

    async def __aenter__(self) -> None:
        for one in self._workers:
            await one.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        for one in self._workers:
            await one.__aexit__(None, None, None)
