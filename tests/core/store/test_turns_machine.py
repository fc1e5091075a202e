"""The lease, the queue, stopping, parking, resuming, restarting: under any order, over the real store.

Each step may come twice, late, or for a turn that has ended: as Temporal delivers it.
"""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from core.clock import now
from core.errors import Conflict, LeaseLost
from core.ids import new_id
from core.messages import TurnEnding, TurnStep
from core.permissions import Door, Principal
from core.store import outbox, rounds, submissions, turns
from core.store.database import Database, open_database
from core.store.rounds import Answer
from core.store.usage import Charge, Figures
from core.store.work import change
from core.tables.records import StoredEvent
from core.tables.talk import Conversation
from core.tables.work import Outbox, Turn
from core.values import TurnState
from tests.world import World

LIVE = {TurnState.RUNNING, TurnState.WAITING}
ENDS = {"turn.finished", "turn.failed", "turn.stopped"}
which = st.integers(0, 5)
MEMORY = Path("/dev/shm")  # noqa: S108 - a name of our own is made in it; here a commit costs no disk


@dataclass(frozen=True)
class Picture:
    """What SQL holds."""

    conversation: Conversation
    turns: list[Turn]
    events: list[StoredEvent]
    outbox: list[Outbox]


async def _picture(database: Database, conversation_id: str) -> Picture:
    async with database.reading() as session:
        return Picture(
            conversation=await session.get_one(Conversation, conversation_id),
            turns=list((await session.execute(select(Turn).order_by(Turn.place))).scalars()),
            events=list(
                (
                    await session.execute(
                        select(StoredEvent).where(StoredEvent.stream_id == conversation_id).order_by(StoredEvent.seq)
                    )
                ).scalars()
            ),
            outbox=list((await session.execute(select(Outbox))).scalars()),
        )


class Machine(RuleBasedStateMachine):
    """One conversation; `epochs` is what each turn's workflow believes, which may be old."""

    template: Path
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="assent-machine-", dir=MEMORY if MEMORY.is_dir() else None))
        shutil.copyfile(self.template, self.folder / "assent.db")
        self.opening = open_database(f"sqlite+aiosqlite:///{self.folder}/assent.db")
        self.database: Database = self.do(self.opening.__aenter__())
        self.world = World(self.database)
        self.turns: list[str] = []
        self.epochs: dict[str, int] = {}
        self.attempts: dict[str, int] = {}
        self.rounds: dict[str, int] = {}
        self.client_ids: dict[str, str] = {}
        self.ended: dict[str, str] = {}
        self.picture: Picture | None = None

    def do(self, doing: Any) -> Any:
        return self.runner.run(doing)

    def teardown(self) -> None:
        self.do(self.opening.__aexit__(None, None, None))
        shutil.rmtree(self.folder)

    @initialize()
    def settle_in(self) -> None:
        self.ana: Principal = self.do(self.world.person())
        self.conversation_id: str = self.do(self.world.conversation(self.ana))

    def look(self) -> "Picture":
        """All there is, read once after each change."""
        if self.picture is None:
            self.picture = self.do(_picture(self.database, self.conversation_id))
        return self.picture

    def row(self, turn_id: str) -> Turn:
        return next(row for row in self.look().turns if row.id == turn_id)

    def some(self, number: int) -> str:
        return self.turns[number % len(self.turns)]

    async def _change(self, call: Any, *arguments: Any) -> Any:
        async with change(self.database, self.world.rooms) as work:
            return await call(work, *arguments)

    def change(self, call: Any, *arguments: Any) -> Any:
        self.picture = None
        return self.do(self._change(call, *arguments))

    def learn(self) -> None:
        """The relay tells each workflow which lease it got."""
        for one in self.look().outbox:
            body = one.body
            if one.kind == outbox.START_TURN:
                self.epochs[body["turn_id"]] = body["lease_epoch"]
            elif one.kind == outbox.WAKE_TURN:
                self.epochs[body["turn_id"]] = body["epoch"]

    # What people do

    @precondition(lambda self: len(self.turns) < 6)
    @rule()
    def say(self) -> None:
        client_id = new_id("cli")
        turn, duplicate = self._say(client_id)
        assert not duplicate
        self.turns.append(turn.id)
        self.client_ids[turn.id] = client_id
        self.attempts[turn.id], self.rounds[turn.id] = 1, 0

    def _say(self, client_id: str) -> tuple[Turn, bool]:
        said: tuple[Turn, bool] = self.change(
            submissions.add_message, self.ana, Door.REST, self.conversation_id, "Hello", client_id
        )
        return said

    @precondition(lambda self: self.client_ids)
    @rule(number=which)
    def say_the_same_again(self, number: int) -> None:
        said = sorted(self.client_ids)
        turn_id = said[number % len(said)]
        turn, duplicate = self._say(self.client_ids[turn_id])
        assert (turn.id, duplicate) == (turn_id, True)

    @precondition(lambda self: self.turns)
    @rule(number=which)
    def stop(self, number: int) -> None:
        before = self.row(self.some(number)).state
        view, told = self.change(turns.stop, self.ana, self.some(number))
        assert TurnState(view.state).is_terminal
        assert told == (before in LIVE)

    @precondition(lambda self: self.turns and len(self.turns) < 6)
    @rule(number=which, twice=st.booleans())
    def retry(self, number: int, twice: bool) -> None:
        turn_id = self.some(number)
        ended = TurnState(self.row(turn_id).state).is_terminal
        client_id = new_id("cli")
        for again in [False, True] if twice else [False]:
            try:
                turn, duplicate = self.change(submissions.add_retry, self.ana, Door.REST, turn_id, client_id)
            except Conflict:
                assert not ended
                return
            assert ended
            assert duplicate == again
        self.turns.append(turn.id)
        self.attempts[turn.id], self.rounds[turn.id] = 1, 0

    # What the workflows do, by what they believe

    @precondition(lambda self: self.turns)
    @rule(number=which, stale=st.sampled_from(["", "", "", "epoch", "attempt"]))
    def finish(self, number: int, stale: str) -> None:
        self._answer(self.some(number), stale, rounds.finish)

    @precondition(lambda self: self.turns)
    @rule(number=which, stale=st.sampled_from(["", "", "", "epoch", "attempt"]))
    def ask_for_calls(self, number: int, stale: str) -> None:
        turn_id = self.some(number)
        if self.rounds[turn_id] < 2 and self._answer(turn_id, stale, _propose):
            self.rounds[turn_id] += 1
            self.attempts[turn_id] += 1

    def _answer(self, turn_id: str, stale: str, how: Any) -> bool:
        self.learn()
        before = self.row(turn_id)
        epoch = self.epochs.get(turn_id, 0) - (stale == "epoch")
        attempt = self.attempts[turn_id] - (stale == "attempt")
        may = before.state == TurnState.RUNNING and before.lease_epoch == epoch and before.attempt == attempt
        answer = Answer(
            turn_id=turn_id,
            number=self.rounds[turn_id],
            attempt=attempt,
            lease_epoch=epoch,
            text="ok",
            said="ok",
            was_kept=True,
            charge=Charge(
                workspace_id=before.workspace_id,
                user_id=before.user_id,
                turn_id=turn_id,
                round=self.rounds[turn_id],
                model="m",
            ),
            figures=Figures(model="m"),
            usage_id=None,
            started_at=now(),
        )
        try:
            self.change(how, answer)
        except LeaseLost:
            assert not may
            return False
        assert may
        return True

    @precondition(lambda self: self.turns)
    @rule(number=which, stale=st.booleans())
    def restart(self, number: int, stale: bool) -> None:
        self.learn()
        turn_id = self.some(number)
        before = self.row(turn_id)
        epoch = self.epochs.get(turn_id, 0) - stale
        may = before.state == TurnState.RUNNING and before.lease_epoch == epoch
        try:
            self.attempts[turn_id] = self.change(turns.restart, turn_id, epoch, 0)
        except LeaseLost:
            assert not may
        else:
            assert may
            assert self.attempts[turn_id] == before.attempt + 1

    @precondition(lambda self: self.turns)
    @rule(number=which, times=st.integers(1, 2), stale=st.booleans())
    def park(self, number: int, times: int, stale: bool) -> None:
        self.learn()
        turn_id = self.some(number)
        before = self.row(turn_id)
        epoch = self.epochs.get(turn_id, 0) - stale
        for _ in range(times):
            self.change(turns.park, TurnStep(turn_id=turn_id, lease_epoch=epoch))
        if before.state == TurnState.RUNNING and before.lease_epoch == epoch:
            assert self.row(turn_id).state == TurnState.WAITING
        else:
            assert self.row(turn_id).state == before.state

    @precondition(lambda self: self.turns)
    @rule(number=which, times=st.integers(1, 2))
    def resume(self, number: int, times: int) -> None:
        turn_id = self.some(number)
        before = self.row(turn_id)
        if before.state not in LIVE and not TurnState(before.state).is_terminal:
            return  # a queued turn has no workflow
        for _ in range(times):
            answer = self.change(turns.resume, TurnStep(turn_id=turn_id, lease_epoch=self.epochs.get(turn_id, 0)))
        assert answer.ended == TurnState(before.state).is_terminal
        if answer.epoch is not None:
            self.epochs[turn_id] = answer.epoch

    @precondition(lambda self: self.turns)
    @rule(number=which, times=st.integers(1, 2))
    def fail(self, number: int, times: int) -> None:
        before = self.row(self.some(number))
        if before.state == TurnState.QUEUED:
            return
        for _ in range(times):
            self.change(turns.fail, TurnEnding(turn_id=before.id, error_code="lost", error_detail="Lost."))
        if before.state not in LIVE:
            assert self.row(before.id) == before

    # What always holds

    @invariant()
    def the_books_are_right(self) -> None:
        if not getattr(self, "conversation_id", None):
            return
        seen = self.look()
        self._check_lease(seen.turns, seen.conversation)
        self._check_events(seen.turns, seen.conversation, seen.events)
        self._check_order(seen.events)
        self._check_outbox(seen)

    def _check_lease(self, rows: list[Turn], conversation: Conversation) -> None:
        running = [row for row in rows if row.state == TurnState.RUNNING]
        assert [row.id for row in running] == ([conversation.active_turn_id] if conversation.active_turn_id else [])
        assert all(row.lease_epoch == conversation.lease_epoch for row in running)
        epochs = [row.lease_epoch for row in rows if row.lease_epoch]
        assert len(epochs) == len(set(epochs))
        assert all(epoch <= conversation.lease_epoch for epoch in epochs)
        if not running:
            assert not [row for row in rows if row.state == TurnState.QUEUED or row.wants_lease]
        assert all(row.state == TurnState.WAITING for row in rows if row.wants_lease)

    def _check_events(self, rows: list[Turn], conversation: Conversation, events: list[StoredEvent]) -> None:
        assert [one.seq for one in events] == list(range(1, conversation.last_seq + 1))
        ends: dict[str, list[str]] = {}
        for one in events:
            if one.type in ENDS:
                ends.setdefault(one.body["turn"]["id"], []).append(one.type)
        assert ends == {row.id: [f"turn.{row.state}"] for row in rows if TurnState(row.state).is_terminal}
        for turn_id, (kind,) in ends.items():
            assert self.ended.setdefault(turn_id, kind) == kind
        states = {one.body["turn"]["id"]: one.body["turn"]["state"] for one in events if "turn" in one.body}
        assert states == {row.id: row.state for row in rows}  # events alone give the same picture

    def _check_order(self, events: list[StoredEvent]) -> None:
        """Replay: whoever got the lease was entitled to be next."""
        queued: list[str] = []
        waiting: set[str] = set()
        for one in events:
            turn_id = one.body.get("turn", {}).get("id")
            if one.type == "turn.queued":
                queued.append(turn_id)
            elif one.type == "turn.waiting":
                waiting.add(turn_id)
            elif one.type == "turn.started" and turn_id in queued:
                assert queued[0] == turn_id
                queued.pop(0)
            elif one.type == "turn.started":
                waiting.discard(turn_id)
            elif one.type in ENDS:
                waiting.discard(turn_id)
                queued = [other for other in queued if other != turn_id]

    def _check_outbox(self, seen: "Picture") -> None:
        """Whoever runs has been, or will be, told."""
        told = {one.body["turn_id"] for one in seen.outbox if one.kind != outbox.STOP_TURN}
        self.learn()
        for row in seen.turns:
            if row.state == TurnState.RUNNING:
                assert row.id in told or self.epochs.get(row.id) == row.lease_epoch


async def _propose(work: Any, answer: Answer) -> None:
    await rounds.propose(work, answer, [])


class TestTurns:
    def test_hold_under_any_order_of_steps(self, sqlite_template: Path) -> None:
        with asyncio.Runner() as runner:
            Machine.template, Machine.runner = sqlite_template, runner
            case = Machine.TestCase
            case.settings = settings(
                max_examples=12,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            case().runTest()


class TestParked:
    async def test_is_woken_before_queued_ones(self, sqlite_database: Database) -> None:
        world = World(sqlite_database)
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        parked, _ = await world.say(ana, conversation_id)
        async with change(world.database, world.rooms) as work:
            await turns.park(work, TurnStep(turn_id=parked.id, lease_epoch=1))
        running, _ = await world.say(ana, conversation_id)
        queued, _ = await world.say(ana, conversation_id)
        async with change(world.database, world.rooms) as work:
            answer = await turns.resume(work, TurnStep(turn_id=parked.id, lease_epoch=1))
        async with change(world.database, world.rooms) as work:
            await turns.stop(work, ana, running.id)

        assert answer.epoch is None
        assert (await world.get(Turn, parked.id)).state == TurnState.RUNNING
        assert (await world.get(Turn, queued.id)).state == TurnState.QUEUED
        wake = [one for one in await world.all(Outbox) if one.kind == outbox.WAKE_TURN]
        assert [one.body["turn_id"] for one in wake] == [parked.id]
