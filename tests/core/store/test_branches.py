"""Versions of a conversation: what an edit keeps, stops, shows; what a busy conversation does; modes."""

from typing import Any

import pytest

from core.clock import now
from core.errors import Busy, Conflict, NotAllowed, NotFound
from core.ids import new_id
from core.messages import TurnEnding, TurnStep
from core.modes import Mode, UnknownMode
from core.permissions import Door, Principal, Role
from core.store import branches, context, conversations, messages, modes, partials, replaced, stops, submissions, turns
from core.store.submissions import Wishes
from core.store.work import change
from core.tables.talk import Branch, Conversation, Message
from core.tables.work import Outbox, ToolCall, Turn
from core.values import TurnState
from tests.world import World


class Talker:
    """One person in one conversation."""

    def __init__(self, world: World, who: Principal, conversation_id: str) -> None:
        self.world = world
        self.who = who
        self.conversation_id = conversation_id

    async def do(self, call: Any, *arguments: Any, **more: Any) -> Any:
        async with change(self.world.database, self.world.rooms) as work:
            return await call(work, *arguments, **more)

    async def say(self, text: str, client_id: str | None = None, wishes: Wishes = Wishes()) -> Turn:  # noqa: B008
        client_id = client_id or new_id("cli")
        turn, _ = await self.do(
            submissions.add_message, self.who, Door.REST, self.conversation_id, text, client_id, wishes
        )
        return turn

    async def edit(self, message_id: str, text: str, client_id: str | None = None) -> tuple[Turn, bool]:
        return await self.do(branches.edit, self.who, Door.REST, message_id, text, client_id or new_id("cli"))

    async def regenerate(self, turn_id: str, client_id: str | None = None) -> tuple[Turn, bool]:
        client_id = client_id or new_id("cli")
        return await self.do(branches.regenerate, self.who, Door.REST, turn_id, client_id, Wishes())

    async def end(self, turn_id: str, text: str = "") -> None:
        """End a turn, with a reply when it said something."""
        if text:
            async with self.world.database.writing() as session:
                await partials.keep(session, turn_id, 1, text)
        await self.do(turns.fail, TurnEnding(turn_id=turn_id, error_code="over", error_detail="Over."))

    async def shown(self, branch: str | None = None) -> list[str]:
        async with self.world.database.reading() as session:
            items, _, total = await branches.messages_of(
                session, self.who, self.conversation_id, branch, before=None, limit=100
            )
        assert total == len(items)
        return [one.text for one in items]

    async def versions(self, message_id: str) -> list[tuple[str, str, bool]]:
        async with self.world.database.reading() as session:
            found = await branches.versions(session, self.who, message_id)
        return [(one.reason, one.message.text, one.active) for one in found]

    async def heard_by(self, turn_id: str) -> list[str]:
        async with self.world.database.reading() as session:
            talk = await context.load(session, turn_id)
        return [record.message.text for record in talk.turns]

    async def state(self, turn: Turn) -> str:
        return (await self.world.get(Turn, turn.id)).state

    async def alter(self, **values: Any) -> None:
        await self.do(conversations.alter, self.who, self.conversation_id, **values)


@pytest.fixture
async def ana(world: World) -> Talker:
    who = await world.person(role=Role.OWNER)
    return Talker(world, who, await world.conversation(who))


def call_of(turn: Turn, state: str = "done", effect: str = "at_most_once") -> ToolCall:
    return ToolCall(
        id=new_id("cal"),
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        workspace_id=turn.workspace_id,
        user_id=turn.user_id,
        round=0,
        place=0,
        action="mail.send",
        arguments={"to": "Bo"},
        schema_digest="0" * 64,
        risk="external_comms",
        effect=effect,
        verdict="allow",
        rule="test",
        state=state,
        created_at=now(),
    )


class TestEdit:
    async def test_shows_the_new_version_and_keeps_the_old(self, ana: Talker):
        one = await ana.say("One")
        await ana.end(one.id, "First")
        two = await ana.say("Two")
        await ana.end(two.id, "Second")
        edited, duplicate = await ana.edit(two.message_id, "Zwei")
        await ana.end(edited.id, "Zweitens")
        last = await ana.say("Three")

        assert not duplicate
        assert await ana.shown() == ["One", "First", "Zwei", "Zweitens", "Three"]
        assert await ana.shown("trunk") == ["One", "First", "Two", "Second"]
        assert await ana.heard_by(last.id) == ["One", "Zwei", "Three"]
        assert await ana.versions(two.message_id) == [("original", "Two", False), ("edit", "Zwei", True)]
        assert await ana.versions(edited.message_id) == await ana.versions(two.message_id)

    async def test_of_an_edit_stands_beside_it(self, ana: Talker):
        one = await ana.say("One")
        first, _ = await ana.edit(one.message_id, "Uno")
        second, _ = await ana.edit(first.message_id, "Un")
        third, _ = await ana.regenerate(second.id)

        assert await ana.shown() == ["Un"]
        assert [reason for reason, _, _ in await ana.versions(one.message_id)] == [
            "original",
            "edit",
            "edit",
            "regenerate",
        ]
        assert {row.parent_id for row in await ana.world.all(Branch)} == {None}
        assert await ana.heard_by(third.id) == ["Un"]

    async def test_stops_what_is_open_in_the_part_left_behind(self, ana: Talker):
        running = await ana.say("One")
        middle, last = await ana.say("Two"), await ana.say("Three")
        edited, _ = await ana.edit(middle.message_id, "Zwei")

        assert await ana.state(running) == TurnState.RUNNING
        assert [await ana.state(one) for one in (middle, last)] == [TurnState.STOPPED] * 2
        assert edited.state == TurnState.QUEUED

        again, _ = await ana.edit(running.message_id, "Eins")

        assert await ana.state(running) == await ana.state(edited) == TurnState.STOPPED
        assert again.state == TurnState.RUNNING

    async def test_sent_twice_is_one(self, ana: Talker):
        one = await ana.say("One")
        first, _ = await ana.edit(one.message_id, "Uno", "same")
        again, duplicate = await ana.edit(one.message_id, "Uno", "same")

        assert (again.id, duplicate) == (first.id, True)
        assert len(await ana.world.all(Branch)) == 1
        for message_id, text in ((one.message_id, "Dos"), (first.message_id, "Uno")):
            with pytest.raises(Conflict):
                await ana.edit(message_id, text, "same")

    async def test_is_only_for_ones_own_messages(self, ana: Talker):
        world = ana.world
        bo, eve = await world.person(ana.who.workspace_id), await world.person()
        shared = await world.conversation(ana.who, bo)
        hers = Talker(world, ana.who, shared)
        turn = await hers.say("Mine")
        await hers.end(turn.id, "A reply")
        (reply,) = await world.all(Message, Message.role == "assistant")

        for who, message_id, error in (
            (bo, turn.message_id, NotAllowed),
            (ana.who, reply.id, NotAllowed),
            (eve, turn.message_id, NotFound),
        ):
            with pytest.raises(error):
                await Talker(world, who, shared).edit(message_id, "Other")
        await world.alter(Conversation, shared, deleted_at=now())
        with pytest.raises(NotFound):
            await hers.edit(turn.message_id, "Other")
        with pytest.raises(NotFound):
            await hers.regenerate(turn.id)

    async def test_says_what_stays_done(self, ana: Talker):
        one = await ana.say("Write to Bo")
        done, asked, looked = call_of(one), call_of(one, "denied"), call_of(one, "done", "read")
        asked.place, looked.place = 1, 2
        await ana.world.add(done, asked, looked)
        await ana.end(one.id, "Sent")
        edited, _ = await ana.edit(one.message_id, "Write to Zoe")
        async with ana.world.database.reading() as session:
            talk = await context.load(session, edited.id)
            said = await replaced.by(session, edited)

        assert [one.tool_call_id for one in said] == [done.id]
        assert [one.id for one in talk.elsewhere] == [done.id]
        assert talk.replaces

    async def test_in_a_thread_leaves_the_main_talk(self, ana: Talker):
        root = await ana.say("Root")
        await ana.end(root.id)
        reply = await ana.say("In the thread", wishes=Wishes(reply_to_id=root.message_id))
        await ana.end(reply.id)
        later = await ana.say("Later")
        await ana.end(later.id)
        edited, _ = await ana.edit(reply.message_id, "In the thread, better")
        last = await ana.say("Last")

        assert edited.thread_id == root.message_id
        assert await ana.heard_by(edited.id) == ["Root", "In the thread, better"]
        assert await ana.heard_by(last.id) == ["Root", "Later", "Last"]
        assert "In the thread" in await ana.shown("trunk")
        assert "In the thread" not in await ana.shown()

    async def test_a_thread_hangs_on_a_message_answered_anew_as_well(self, ana: Talker):
        root = await ana.say("Root")
        again, _ = await ana.regenerate(root.id)
        await ana.end(again.id, "A reply")
        reply = await ana.say("In the thread", wishes=Wishes(reply_to_id=root.message_id))

        assert await ana.heard_by(reply.id) == ["Root", "In the thread"]


class TestActivate:
    async def test_shows_another_version_and_talk_goes_on_there(self, ana: Talker):
        one = await ana.say("One")
        edited, _ = await ana.edit(one.message_id, "Uno")
        await ana.end(edited.id, "Si")
        view = await ana.do(branches.activate, ana.who, ana.conversation_id, "trunk")
        two = await ana.say("Two")
        back = await ana.do(branches.activate, ana.who, ana.conversation_id, edited.branch_id)

        assert (view.active_branch_id, back.active_branch_id) == (None, edited.branch_id)
        assert await ana.heard_by(two.id) == ["One", "Two"]
        assert await ana.shown() == ["Uno", "Si"]
        assert await ana.shown("trunk") == ["One", "Two"]

    async def test_of_what_is_not_there_is_not_found(self, ana: Talker):
        one = await ana.say("One")
        edited, _ = await ana.edit(one.message_id, "Uno")
        other = Talker(ana.world, ana.who, await ana.world.conversation(ana.who))

        for talker, branch in ((ana, "nonsense"), (ana, new_id("brn")), (other, edited.branch_id)):
            with pytest.raises(NotFound):
                await talker.do(branches.activate, ana.who, talker.conversation_id, branch)

    async def test_a_retry_of_what_is_not_shown_is_refused(self, ana: Talker):
        one = await ana.say("One")
        await ana.edit(one.message_id, "Uno")
        with pytest.raises(Conflict, match="another version"):
            await ana.do(submissions.add_retry, ana.who, Door.REST, one.id, "again")


class TestBusy:
    async def test_interrupt_stops_what_runs_and_keeps_its_text(self, ana: Talker):
        await ana.alter(when_busy="interrupt")
        parked = await ana.say("Parked")
        await ana.do(turns.park, TurnStep(turn_id=parked.id, lease_epoch=1))
        running = await ana.say("Long")
        async with ana.world.database.writing() as session:
            await partials.keep(session, running.id, 1, "As I was saying")
        turn = await ana.say("Short")

        assert [await ana.state(one) for one in (parked, running, turn)] == ["waiting", "stopped", "running"]
        assert await ana.shown() == ["Parked", "Long", "As I was saying", "Short"]
        kinds = {(row.kind, row.ref) for row in await ana.world.all(Outbox)}
        assert ("stop_turn", running.id) in kinds
        assert ("start_turn", turn.id) in kinds

    async def test_interrupt_runs_before_what_was_queued(self, ana: Talker):
        await ana.say("One")
        queued = await ana.say("Two")
        await ana.alter(when_busy="interrupt")
        now_running = await ana.say("Three")

        assert await ana.state(now_running) == "running"
        assert await ana.state(queued) == "queued"

    async def test_reject_writes_nothing_and_leaves_the_client_id_free(self, ana: Talker):
        await ana.alter(when_busy="reject")
        running = await ana.say("One", "first")
        events = len(await ana.world.events(ana.conversation_id))
        with pytest.raises(Busy, match="still answering"):
            await ana.say("Two", "second")

        assert (await ana.say("One", "first")).id == running.id
        assert len(await ana.world.events(ana.conversation_id)) == events
        await ana.end(running.id)
        assert (await ana.say("Two", "second")).state == "running"

    async def test_everything_open_can_be_stopped(self, ana: Talker):
        running, queued = await ana.say("One"), await ana.say("Two")

        async def stop(*states: TurnState) -> list[str]:
            async with change(ana.world.database, ana.world.rooms) as work:
                found = await stops.in_states(work.session, ana.conversation_id, *states)
                return [one.id for one in await stops.stop_these(work, ana.who, found)]

        assert await stop(TurnState.QUEUED, TurnState.RUNNING) == [queued.id, running.id]
        assert await stop(TurnState.RUNNING) == []


class TestModes:
    async def test_come_with_the_conversation_or_the_message(self, ana: Talker):
        await ana.alter(mode="quick")
        one, two = (
            await ana.say("One"),
            await ana.say("Two", wishes=Wishes(mode="analysis", message_type="fitness_plan")),
        )

        assert (one.mode, one.max_rounds, two.mode, two.max_rounds) == ("quick", 3, "analysis", None)
        assert (await ana.world.get(Message, two.message_id)).message_type == "fitness_plan"

    async def test_that_nobody_made_are_refused_by_name(self, ana: Talker):
        with pytest.raises(UnknownMode, match="Known are: full, quick, analysis, support"):
            await ana.alter(mode="trading")
        with pytest.raises(UnknownMode, match="no mode trading"):
            await ana.say("One", wishes=Wishes(mode="trading"))
        with pytest.raises(UnknownMode):
            await ana.do(conversations.create, ana.who, Door.REST, title="", mode="trading")

        assert await ana.world.all(Turn) == []

    async def test_of_the_workspaces_own_are_made_changed_and_removed(self, ana: Talker):
        made = Mode(name="trading", title="Trading", tools=("tasks",), rounds=2)
        await ana.do(modes.add, ana.who, made)
        await ana.alter(mode="trading")
        await ana.do(modes.alter, ana.who, "trading", {"rounds": None})
        one = await ana.say("One")
        with pytest.raises(Conflict):
            await ana.do(modes.add, ana.who, made)
        with pytest.raises(Conflict, match="already"):
            await ana.do(modes.add, ana.who, Mode(name="full", title="Mine"))
        with pytest.raises(Conflict, match="built in"):
            await ana.do(modes.remove, ana.who, "quick")
        eve = await ana.world.person(role=Role.OWNER)
        with pytest.raises(NotFound):
            await ana.do(modes.remove, eve, "trading")
        await ana.do(modes.remove, ana.who, "trading")
        async with ana.world.database.reading() as session:
            talk = await context.load(session, one.id)
            names = [view.name for view in await modes.listed(session, ana.who)]

        assert one.max_rounds is None
        assert talk.mode is None
        assert names == ["full", "quick", "analysis", "support"]

    def test_allow_connectors_and_actions(self):
        mode = Mode(name="x", title="X", tools=("tasks", "files.read"))

        assert [mode.allows(one) for one in ("tasks.add", "files.read", "files.write", "tasksx.add")] == [
            True,
            True,
            False,
            False,
        ]
        assert not Mode(name="x", title="X", tools=()).allows("tasks.add")


class TestPage:
    async def test_counts_what_is_shown(self, ana: Talker):
        for number in range(5):
            await ana.end((await ana.say(f"{number}")).id)
        (second,) = await ana.world.all(Message, Message.text == "1")
        await ana.edit(second.id, "eins")
        async with ana.world.database.reading() as session:
            items, before, total = await messages.page(session, ana.who, ana.conversation_id, before=None, limit=1)

        assert ([one.text for one in items], total) == (["eins"], 2)
        assert before == items[0].position
