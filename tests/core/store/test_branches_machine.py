"""Versions of a conversation under any order of sends, edits, regenerations, switches, stops and ends."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from core.errors import Busy, Conflict
from core.ids import new_id
from core.messages import TurnEnding
from core.permissions import Door, Principal
from core.store import branches, context, conversations, partials, stops, submissions, turns
from core.store.database import Database, open_database
from core.store.submissions import Wishes
from core.store.work import change
from core.tables.records import StoredEvent
from core.tables.talk import Branch, Conversation, Message
from core.tables.work import Turn
from core.values import TurnState, WhenBusy
from core.views import MessageView
from tests.core.store.test_turns_machine import MEMORY
from tests.world import World

which = st.integers(0, 7)
MOST = 9


class Client:
    """A client that follows the documented rule: it fetches at a switch, and else believes the events."""

    def __init__(self) -> None:
        self.active: str | None = None
        self.shown: dict[str, MessageView] = {}
        self.seq = 0
        self.must_fetch = True

    def hear(self, event: StoredEvent) -> None:
        self.seq = event.seq
        if event.type == "conversation.updated":
            active = event.body["conversation"]["active_branch_id"]
            self.must_fetch |= active != self.active
            self.active = active
        elif event.type == "message.created":
            message = MessageView.model_validate(event.body["message"])
            answers = message.role != "user" and any(one.turn_id == message.turn_id for one in self.shown.values())
            if message.branch_id == self.active or answers:
                self.shown.setdefault(message.id, message)


class Machine(RuleBasedStateMachine):
    """One conversation; `paths` remembers which messages each version must show."""

    template: Path
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="assent-branches-", dir=MEMORY if MEMORY.is_dir() else None))
        shutil.copyfile(self.template, self.folder / "assent.db")
        self.opening = open_database(f"sqlite+aiosqlite:///{self.folder}/assent.db")
        self.database: Database = self.do(self.opening.__aenter__())
        self.world = World(self.database)
        self.turns: list[str] = []
        self.paths: dict[str | None, list[str]] = {None: []}
        self.active: str | None = None
        self.client = Client()

    def do(self, doing: Any) -> Any:
        return self.runner.run(doing)

    def teardown(self) -> None:
        self.do(self.opening.__aexit__(None, None, None))
        shutil.rmtree(self.folder)

    @initialize()
    def settle_in(self) -> None:
        self.ana: Principal = self.do(self.world.person())
        self.conversation_id: str = self.do(self.world.conversation(self.ana))

    async def _change(self, call: Any, *arguments: Any, **more: Any) -> Any:
        async with change(self.database, self.world.rooms) as work:
            return await call(work, *arguments, **more)

    def change(self, call: Any, *arguments: Any, **more: Any) -> Any:
        return self.do(self._change(call, *arguments, **more))

    def some(self, number: int) -> str:
        return self.turns[number % len(self.turns)]

    def row(self, turn_id: str) -> Turn:
        return self.do(self.world.get(Turn, turn_id))

    def _enters(self, turn: Turn, path: list[str]) -> None:
        self.turns.append(turn.id)
        self.active = turn.branch_id
        self.paths[turn.branch_id] = [*path, turn.id]

    def _before(self, turn_id: str) -> list[str]:
        """What stands before a turn in the version that it began in."""
        path = self.paths[self.row(turn_id).branch_id]
        return path[: path.index(turn_id)]

    def _may_be_busy(self, call: Any, *arguments: Any) -> Turn | None:
        try:
            return self.change(call, *arguments)[0]
        except Busy:
            assert self.do(self.world.get(Conversation, self.conversation_id)).when_busy == WhenBusy.REJECT
            return None

    @precondition(lambda self: len(self.turns) < MOST)
    @rule()
    def say(self) -> None:
        to = (self.ana, Door.REST, self.conversation_id, f"Said {len(self.turns)}", new_id("cli"))
        turn = self._may_be_busy(submissions.add_message, *to)
        if turn is not None:
            self._enters(turn, self.paths[self.active])

    @precondition(lambda self: self.turns and len(self.turns) < MOST)
    @rule(number=which)
    def edit(self, number: int) -> None:
        message = self.do(self.world.get(Message, self.row(self.some(number)).message_id))
        before = self._before(message.turn_id)
        to = (self.ana, Door.REST, message.id, f"Edited {len(self.turns)}", new_id("cli"))
        turn = self._may_be_busy(branches.edit, *to)
        if turn is not None:
            self._enters(turn, before)
            self._nothing_is_open_elsewhere()

    @precondition(lambda self: self.turns and len(self.turns) < MOST)
    @rule(number=which)
    def regenerate(self, number: int) -> None:
        before = self._before(self.some(number))
        to = (self.ana, Door.REST, self.some(number), new_id("cli"), Wishes())
        turn = self._may_be_busy(branches.regenerate, *to)
        if turn is not None:
            self._enters(turn, before)
            self._nothing_is_open_elsewhere()

    def _nothing_is_open_elsewhere(self) -> None:
        for row in self.do(self.world.all(Turn)):
            assert TurnState(row.state).is_terminal or row.id in self.paths[self.active]

    @precondition(lambda self: self.turns and len(self.turns) < MOST)
    @rule(number=which)
    def retry(self, number: int) -> None:
        turn_id = self.some(number)
        may = TurnState(self.row(turn_id).state).is_terminal and turn_id in self.paths[self.active]
        try:
            turn = self._may_be_busy(submissions.add_retry, self.ana, Door.REST, turn_id, new_id("cli"))
        except Conflict:
            assert not may
            return
        if turn is not None:
            assert may
            self._enters(turn, self.paths[self.active])

    @precondition(lambda self: len(self.paths) > 1)
    @rule(number=which)
    def activate(self, number: int) -> None:
        known = list(self.paths)
        self.active = known[number % len(known)]
        view = self.change(branches.activate, self.ana, self.conversation_id, self.active or branches.TRUNK)
        assert view.active_branch_id == self.active

    @rule(when_busy=st.sampled_from(WhenBusy))
    def be_busy_otherwise(self, when_busy: WhenBusy) -> None:
        self.change(conversations.alter, self.ana, self.conversation_id, when_busy=when_busy)

    @precondition(lambda self: self.turns)
    @rule(number=which)
    def stop(self, number: int) -> None:
        self.change(stops.stop, self.ana, self.some(number))

    @precondition(lambda self: self.turns)
    @rule(number=which, text=st.sampled_from(["", "A reply"]))
    def end(self, number: int, text: str) -> None:
        turn_id = self.some(number)
        if self.row(turn_id).state != TurnState.RUNNING:
            return
        self.do(self._speak(turn_id, text))
        self.change(turns.fail, TurnEnding(turn_id=turn_id, error_code="over", error_detail="Over."))

    async def _speak(self, turn_id: str, text: str) -> None:
        async with self.database.writing() as session:
            if text:
                await partials.keep(session, turn_id, 1, text)

    # What always holds

    @invariant()
    def the_books_are_right(self) -> None:
        if getattr(self, "conversation_id", None):
            self.do(self._check())

    async def _check(self) -> None:
        async with self.database.reading() as session:
            conversation = await session.get_one(Conversation, self.conversation_id)
            rows = (await session.execute(select(Turn).order_by(Turn.place))).scalars().all()
            said = {row.id: row for row in (await session.execute(select(Message))).scalars()}
            forks = (await session.execute(select(Branch))).scalars().all()
            assert conversation.active_branch_id == self.active
            running = [row.id for row in rows if row.state == TurnState.RUNNING]
            assert running == ([conversation.active_turn_id] if conversation.active_turn_id else [])
            assert len({row.place for row in rows}) == len(rows)
            assert len({row.position for row in said.values()}) == len(said)
            assert {row.id for row in forks} == {one for one in self.paths if one}
            await self._check_paths(session, rows, said)
            await self._check_versions(session, said, forks)
            await self._check_client(session, conversation)

    async def _check_paths(self, session: Any, rows: Any, said: dict[str, Message]) -> None:
        """Each version is one line, and what is shown of it is what a turn on it hears."""
        by_id = {row.id: row for row in rows}
        for branch_id, path in self.paths.items():
            assert [by_id[one].place for one in path] == sorted(by_id[one].place for one in path)
            items, _, total = await branches.messages_of(
                session, self.ana, self.conversation_id, branch_id or branches.TRUNK, before=None, limit=100
            )
            expected = {by_id[one].message_id for one in path}
            expected |= {row.id for row in said.values() if row.role == "assistant" and row.turn_id in path}
            assert {one.id for one in items} == expected
            assert total == len(items)
            assert [one.position for one in items] == sorted(one.position for one in items)
            if path and by_id[path[-1]].branch_id == branch_id:
                talk = await context.load(session, path[-1])
                heard = [record.turn.id for record in talk.turns]
                assert heard == [one for one in path if by_id[one].state != TurnState.QUEUED or one == path[-1]]

    async def _check_versions(self, session: Any, said: dict[str, Message], forks: Any) -> None:
        """Of a replaced message, every version is listed, and at most one is shown for each place."""
        for row in forks:
            replaced = (await session.get_one(Turn, row.replaces_turn_id)).message_id
            found = await branches.versions(session, self.ana, replaced)
            assert (None if row.begun_at is None else row.id) in {one.branch_id for one in found}
            assert len({one.turn.id for one in found}) == len(found)
            for one in found:
                assert one.active == (one.turn.id in self.paths[self.active])

    async def _check_client(self, session: Any, conversation: Conversation) -> None:
        """State plus events equals a fresh fetch, for who fetches at each switch."""
        client = self.client
        statement = select(StoredEvent).where(
            StoredEvent.stream_id == self.conversation_id, StoredEvent.seq > client.seq
        )
        for event in (await session.execute(statement.order_by(StoredEvent.seq))).scalars():
            client.hear(event)
        items, _, _ = await branches.messages_of(session, self.ana, self.conversation_id, None, before=None, limit=100)
        if client.must_fetch:
            client.shown, client.must_fetch = {one.id: one for one in items}, False
        assert client.active == conversation.active_branch_id
        assert sorted(client.shown.values(), key=lambda one: one.position) == items


class TestVersions:
    def test_hold_under_any_order_of_steps(self, sqlite_template: Path) -> None:
        with asyncio.Runner() as runner:
            Machine.template, Machine.runner = sqlite_template, runner
            case = Machine.TestCase
            case.settings = settings(
                max_examples=8,
                stateful_step_count=15,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            case().runTest()
