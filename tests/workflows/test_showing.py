"""A request for consent that was shown, by a worker that was lost before Temporal heard so."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from core.clock import now
from core.ids import new_id
from core.messages import ApprovalInput, ApprovalOutcome, Approvers, DecisionMade
from core.values import ApprovalState, DecisionVerdict
from workflows import policies
from workflows.approval import Approval

pytestmark = pytest.mark.server


class DeafDesk:
    """It shows the request, but Temporal never hears so."""

    def __init__(self) -> None:
        self.forever = asyncio.Event()
        self.closed: list[ApprovalOutcome] = []

    @activity.defn(name="open_approval")
    async def open_approval(self, approval_id: str) -> bool:
        await self.forever.wait()
        return bool(approval_id)

    @activity.defn(name="close_approval")
    async def close_approval(self, outcome: ApprovalOutcome) -> None:
        self.closed.append(outcome)


class TestShowing:
    async def test_lost_with_its_worker_holds_no_answer_up(self, client: Client):
        desk = DeafDesk()
        prefix = f"{new_id('tst')}-"
        request = ApprovalInput(
            approval_id=new_id("apr"),
            requester_id=new_id("usr"),
            approvers=Approvers(requester=True),
            digest="d" * 64,
            expires_at=now() + timedelta(hours=1),
        )
        decision = DecisionMade(
            decision_id=new_id("dec"),
            user_id=request.requester_id,
            role="member",
            verdict=DecisionVerdict.APPROVE,
            digest=request.digest,
        )
        async with (
            Worker(client, task_queue=f"{prefix}{policies.TURNS_QUEUE}", workflows=[Approval]),
            Worker(
                client,
                task_queue=f"{prefix}{policies.STEPS_QUEUE}",
                activities=[desk.open_approval, desk.close_approval],
            ),
        ):
            handle = await client.start_workflow(
                Approval.run,
                request,
                id=f"approval-{request.approval_id}",
                task_queue=f"{prefix}{policies.TURNS_QUEUE}",
            )
            answered = await handle.execute_update(Approval.decide, decision)
            outcome = await handle.result()
            desk.forever.set()

        assert answered == outcome
        assert desk.closed == [outcome]
        assert outcome.state == ApprovalState.APPROVED
