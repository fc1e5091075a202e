"""A talk of two thousand messages as a file that the product takes in, and what telling all of it would cost."""

import random
from datetime import datetime, timedelta
from typing import Any

from core.clock import now
from core.exports import ConversationFile, ConversationRecord, MessageRecord, PersonRecord, TurnRecord
from core.ids import new_id
from core.values import TurnState

MESSAGES = 2_000
_WORDS = (
    *(
        "please",
        "order",
        "invoice",
        "customer",
        "delivery",
        "monday",
        "contract",
        "price",
        "garden",
        "school",
        "doctor",
    ),
    *("ticket", "report", "answer", "meeting", "number", "street", "river", "window", "winter", "summer", "paper"),
    *("friend", "project", "budget", "letter", "train", "morning", "evening", "question"),
)
_LENGTH = 40
_UNSET = (
    *("branch_id", "reply_to_id", "thread_id", "edit_of_id", "intent", "confidence", "suggestions", "forgotten_at"),
    *("usage", "response_time_ms", "model"),
)


def long_talk() -> tuple[dict[str, Any], int]:
    """Give the file, and the bytes of everything that is said in it."""
    chance = random.Random(2000)  # noqa: S311  an invented talk
    turns: list[TurnRecord] = []
    said: list[MessageRecord] = []
    at = now() - timedelta(days=100)
    for number in range(MESSAGES // 2):
        turn, question, answer = _exchange(chance, number, at + timedelta(hours=number))
        turns.append(turn)
        said += [question, answer]
    file = ConversationFile(
        exported_at=now(),
        people=(PersonRecord(key="p1", name="Ana"),),
        conversation=_conversation(at),
        branches=(),
        turns=tuple(turns),
        messages=tuple(said),
        calls=(),
        approvals=(),
        facts=(),
        documents=(),
        usage=(),
    )
    return file.model_dump(mode="json"), sum(len(one.text) for one in said)


def _conversation(at: datetime) -> ConversationRecord:
    return ConversationRecord(
        id=new_id("cnv"),
        title="A long talk",
        mode="full",
        when_busy="queue",
        origin_channel="rest",
        owner="p1",
        active_branch_id=None,
        created_at=at,
        updated_at=at,
        last_activity_at=at,
    )


def _exchange(chance: random.Random, number: int, at: datetime) -> tuple[TurnRecord, MessageRecord, MessageRecord]:
    turn_id, question_id, place = new_id("trn"), new_id("msg"), 4 * number + 1
    turn = TurnRecord(
        id=turn_id,
        message_id=question_id,
        by="p1",
        retry_of=None,
        branch_id=None,
        thread_id=None,
        mode="full",
        asked_model=None,
        intent=None,
        confidence=None,
        state=TurnState.FINISHED,
        place=place,
        attempt=1,
        door="rest",
        error_code=None,
        error_detail=None,
        created_at=at,
        started_at=at,
        ended_at=at,
    )
    question = _message(chance, question_id, turn_id, place, at, role="user")
    return turn, question, _message(chance, new_id("msg"), turn_id, place + 2, at, role="assistant")


def _message(
    chance: random.Random, message_id: str, turn_id: str, position: int, at: datetime, *, role: str
) -> MessageRecord:
    known: dict[str, Any] = dict.fromkeys(_UNSET)
    return MessageRecord.model_validate(
        known
        | {
            "id": message_id,
            "turn_id": turn_id,
            "position": position,
            "by": "p1" if role == "user" else None,
            "role": role,
            "text": " ".join(chance.choices(_WORDS, k=_LENGTH)),
            "message_type": "text",
            "channel": "rest",
            "created_at": at,
        }
    )
