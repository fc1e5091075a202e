"""What must hold after any crash, read from the product's own books: SQL, events, audit, and what the doors show."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.journeys.person import Listener, Person

TERMINAL = {"turn.finished", "turn.failed", "turn.stopped"}

LOOKS = 20
"""So often the doors are looked at until nothing is written between one and the other."""


# Whose turns ran here, and not where the conversation was exported.
_HERE = "conversation_id IN (SELECT id FROM conversations WHERE origin_channel <> 'import')"


class Ledger:
    """Reads the database of a product, also while it runs."""

    def __init__(self, data: Path) -> None:
        self._file = data / "assent.db"

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values)]

    def count(self, statement: str, *values: object) -> int:
        return int(next(iter(self.rows(f"SELECT count(*) FROM {statement}", *values)[0].values())))  # noqa: S608

    def events(self, stream_id: str) -> list[dict[str, Any]]:
        found = self.rows("SELECT seq, body FROM events WHERE stream_id = ? ORDER BY seq", stream_id)
        return [{"seq": row["seq"], "event": json.loads(row["body"])} for row in found]

    async def is_settled(self) -> bool:
        """Tell whether Temporal was told everything, and nothing is reserved any more."""
        open_ends = ("outbox", "decisions WHERE state = 'received'", "usage WHERE state = 'reserved'")
        return sum(map(self.count, open_ends)) == 0

    def check(self) -> None:
        """Assert all that holds for any product at rest, whatever was done to it."""
        self._check_turns()
        self._check_streams()
        self._check_consents()
        self._check_usage()
        self._check_kept()
        assert self.rows("SELECT * FROM outbox") == []
        assert self.rows("SELECT id FROM conversations WHERE active_turn_id IS NOT NULL") == []
        assert self.rows("SELECT id FROM decisions WHERE state = 'received'") == []

    def _check_turns(self) -> None:
        doubles = "SELECT client_message_id FROM messages WHERE role = 'user' AND client_message_id IS NOT NULL"
        assert self.rows(f"{doubles} AND {_HERE} GROUP BY 1 HAVING count(*) > 1") == []
        for turn in self.rows(f"SELECT * FROM turns WHERE {_HERE}"):  # noqa: S608
            assert turn["state"] in {"finished", "failed", "stopped"}, turn
            events = [one["event"] for one in self.events(turn["conversation_id"])]
            ends = [one for one in events if one["type"] in TERMINAL and one["turn"]["id"] == turn["id"]]
            assert [f"turn.{turn['state']}"] == [one["type"] for one in ends]

    def _check_usage(self) -> None:
        """Each round that was answered is paid exactly once, and nothing is held back for calls that are over."""
        assert self.rows("SELECT * FROM usage WHERE state = 'reserved'") == []
        paid = "SELECT turn_id, round FROM usage WHERE state = 'settled' AND purpose = 'reply' ORDER BY 1, 2"
        answered = (
            "SELECT turn_id, number AS round FROM rounds JOIN turns ON turns.id = turn_id"
            " JOIN conversations ON conversations.id = conversation_id"
            " WHERE origin_channel <> 'import' ORDER BY 1, 2"
        )
        assert self.rows(paid) == self.rows(answered)

    def _check_kept(self) -> None:
        """Facts, summaries, pieces of documents and what was recalled are there once, and whole."""
        facts = "SELECT user_id, text FROM facts GROUP BY 1, 2 HAVING count(*) > 1"
        assert self.rows(facts) == []
        sums = "SELECT conversation_id, branch_id, upto_place FROM summaries GROUP BY 1, 2, 3 HAVING count(*) > 1"
        assert self.rows(sums) == []
        for one in self.rows("SELECT * FROM documents WHERE state = 'ready' AND deleted_at IS NULL"):
            pieces = self.rows("SELECT number FROM chunks WHERE document_id = ? ORDER BY number", one["id"])
            assert [row["number"] for row in pieces] == list(range(one["chunks_total"])), one
        for turn in self.rows("SELECT * FROM turns"):
            events = [one["event"] for one in self.events(turn["conversation_id"])]
            told = [one["type"] for one in events if one["type"].startswith("recall.") and _recalled_by(one, turn)]
            stored = self.rows("SELECT state FROM recalls WHERE turn_id = ?", turn["id"])
            assert told == [f"recall.{one['state']}" for one in stored], turn["id"]

    def _check_streams(self) -> None:
        """Numbers without a gap; an imported conversation keeps the places of its messages, and goes on after them."""
        came = {row["id"] for row in self.rows("SELECT id FROM conversations WHERE origin_channel = 'import'")}
        for stream in self.rows("SELECT stream_id, count(*) AS n, max(seq) AS last FROM events GROUP BY stream_id"):
            assert stream["n"] == stream["last"] or stream["stream_id"] in came, stream
        for row in self.rows("SELECT id, last_seq FROM conversations"):
            last = self.rows("SELECT max(seq) AS last FROM events WHERE stream_id = ?", row["id"])
            assert row["last_seq"] == last[0]["last"], row

    def _check_consents(self) -> None:
        for call in self.rows(f"SELECT * FROM tool_calls WHERE state = 'done' AND {_HERE}"):  # noqa: S608
            kinds = [row["kind"] for row in self.rows("SELECT kind FROM audit WHERE subject = ?", call["id"])]
            assert [kinds.count(kind) for kind in ("call.started", "call.executed")] == [1, 1], kinds
            if call["verdict"] == "ask":
                approvals = self.rows("SELECT * FROM approvals WHERE tool_call_id = ?", call["id"])
                assert [(one["state"], bool(one["consumed_at"])) for one in approvals] == [("approved", True)]


def _recalled_by(event: dict[str, Any], turn: dict[str, Any]) -> bool:
    return bool(event["recall"]["turn_id"] == turn["id"])


async def check_doors(person: Person, conversation_id: str, ledger: Ledger) -> None:
    """Assert that the doors tell the same story: replayed events, and a fresh fetch of what they add up to."""
    epoch = ledger.rows("SELECT epoch FROM conversations WHERE id = ?", conversation_id)[0]["epoch"]
    for _ in range(LOOKS):
        envelopes = await _replayed(person, conversation_id, epoch, len(ledger.events(conversation_id)))
        fetched = await _fetched(person, conversation_id)
        if len(ledger.events(conversation_id)) == len(envelopes):
            break  # nothing was written meanwhile: both are of one moment
    told = [(one["seq"], one["event"]["type"]) for one in envelopes]
    assert list(range(1, len(told) + 1)) == [seq for seq, _ in told], told
    state = fold([one["event"] for one in envelopes])
    for noun, found in fetched.items():
        unlike = _unlike(state[noun], found)
        assert unlike == {}, f"{noun}: {unlike}"
    assert (await person.get("/audit/verify"))["intact"] is True


async def _replayed(person: Person, conversation_id: str, epoch: str, count: int) -> list[dict[str, Any]]:
    """Replay a conversation from its start, until so many events came."""
    async with Listener(person, conversation_id) as listener:
        await listener.resume(epoch, 0)
        await listener.until(lambda it: len(it.envelopes) >= count)
        return list(listener.envelopes)


def _unlike(told: dict[str, Any], fetched: dict[str, Any]) -> dict[str, Any]:
    """Give what was told otherwise than it is: by id, the members that differ."""
    differ = [one for one in told.keys() | fetched.keys() if told.get(one) != fetched.get(one)]
    pairs = {one: (told.get(one) or {}, fetched.get(one) or {}) for one in differ}
    return {
        one: {
            name: (old.get(name), new.get(name)) for name in old.keys() | new.keys() if old.get(name) != new.get(name)
        }
        for one, (old, new) in pairs.items()
    }


def fold(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Add events up as a client does: the newest state of each noun by id."""
    state: dict[str, dict[str, Any]] = {"message": {}, "turn": {}, "call": {}, "approval": {}}
    for event in events:
        for noun, known in state.items():
            if event.get(noun):
                known[event[noun]["id"]] = event[noun]
    return state


async def _fetched(person: Person, conversation_id: str) -> dict[str, dict[str, Any]]:
    paths = {
        "message": f"/conversations/{conversation_id}/messages?limit=100",
        "turn": f"/conversations/{conversation_id}/turns?limit=100",
        "call": f"/conversations/{conversation_id}/calls?limit=100",
        "approval": "/approvals?limit=100",
    }
    return {noun: {one["id"]: one for one in (await person.get(path))["items"]} for noun, path in paths.items()}
