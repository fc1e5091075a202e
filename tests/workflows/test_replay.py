"""The workflows still do what they did in the histories that are kept, one of each shape."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from workflows.approval import Approval
from workflows.chat_turn import ChatTurn
from workflows.memory import MemoryWriter
from workflows.reflect import Reflect

FOLDER = Path(__file__).parent / "histories"
SHAPES = {
    "approval-approved",
    "approval-asked_again",
    "approval-asked_again-1",
    "approval-edited",
    "approval-escalated",
    "approval-expired",
    "approval-pending",
    "approval-questioned",
    "approval-questioned-1",
    "approval-quorum",
    "approval-rejected",
    "approval-resumed",
    "approval-withdrawn",
    "memory-writer",
    "reflect-remembered",
    "turn-approved",
    "turn-asked_again",
    "turn-expired",
    "turn-failed",
    "turn-plain",
    "turn-questioned",
    "turn-rejected",
    "turn-resumed",
    "turn-stopped",
    "turn-too_many_rounds",
    "turn-tools",
    "turn-withdrawn",
}


class TestReplay:
    def test_there_is_a_history_of_each_shape(self):
        assert {file.stem for file in FOLDER.glob("*.json")} >= SHAPES

    @pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
    async def test_of_a_kept_history_takes_the_same_steps(self, file: Path):
        kept = json.loads(file.read_text("utf-8"))
        history = WorkflowHistory.from_json(kept.pop("workflow_id"), kept)
        replayer = Replayer(
            workflows=[ChatTurn, Approval, MemoryWriter, Reflect], data_converter=pydantic_data_converter
        )

        result = await replayer.replay_workflow(history)

        assert result.replay_failure is None
