"""What comes in: once for each client id, only from those who take part."""

import asyncio

import pytest

from core.clock import now
from core.errors import Conflict, NotAllowed, NotFound
from core.messages import TurnEnding
from core.permissions import Door, Role
from core.store import messages, submissions, turns
from core.store.work import change
from core.tables.talk import Conversation, Message
from core.tables.work import Outbox, Turn
from core.values import TurnState
from tests.world import World


class TestMessage:
    async def test_sent_twenty_times_at_once_is_one_turn(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)

        said = await asyncio.gather(*(world.say(ana, conversation_id, client_id="same") for _ in range(20)))

        assert len({turn.id for turn, _ in said}) == 1
        assert sorted(duplicate for _, duplicate in said) == [False] + [True] * 19
        assert len(await world.all(Turn)) == len(await world.all(Message)) == len(await world.all(Outbox)) == 1

    async def test_of_another_text_under_the_same_client_id_is_refused(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        first, _ = await world.say(ana, conversation_id, "Pay Ben", client_id="same")
        with pytest.raises(Conflict, match="another text"):
            await world.say(ana, conversation_id, "Pay Eve", client_id="same")
        again, duplicate = await world.say(ana, conversation_id, "Pay Ben", client_id="same")

        assert (again.id, duplicate) == (first.id, True)
        assert [one.text for one in await world.all(Message)] == ["Pay Ben"]

    async def test_of_another_person_under_the_same_client_id_is_another(self, world: World):
        ana = await world.person()
        bo = await world.person(ana.workspace_id)
        conversation_id = await world.conversation(ana, bo)

        mine, _ = await world.say(ana, conversation_id, client_id="same")
        theirs, duplicate = await world.say(bo, conversation_id, client_id="same")

        assert mine.id != theirs.id
        assert not duplicate

    async def test_is_only_for_those_who_take_part(self, world: World):
        ana, eve = await world.person(), await world.person()
        bo = await world.person(ana.workspace_id)
        viewer = await world.person(ana.workspace_id, Role.VIEWER)
        conversation_id = await world.conversation(ana, viewer)

        for who in (eve, bo):
            with pytest.raises(NotFound):
                await world.say(who, conversation_id)
        with pytest.raises(NotAllowed):
            await world.say(viewer, conversation_id)
        await world.alter(Conversation, conversation_id, deleted_at=now())
        with pytest.raises(NotFound):
            await world.say(ana, conversation_id)

        assert await world.all(Message) == []
        assert await world.events(conversation_id) == []

    async def test_page_shows_the_newest_to_those_who_take_part(self, world: World):
        ana, eve = await world.person(), await world.person()
        bo = await world.person(ana.workspace_id)
        conversation_id = await world.conversation(ana)
        for number in range(7):
            await world.say(ana, conversation_id, f"{number}")

        async with world.database.reading() as session:
            newest, before, total = await messages.page(session, ana, conversation_id, before=None, limit=3)
            older, _, _ = await messages.page(session, ana, conversation_id, before=before, limit=10)
            for who in (eve, bo):
                with pytest.raises(NotFound):
                    await messages.page(session, who, conversation_id, before=None, limit=3)
                with pytest.raises(NotFound):
                    await messages.one(session, who, newest[0].id)

        assert [one.text for one in newest] == ["4", "5", "6"]
        assert [one.text for one in older] == ["0", "1", "2", "3"]
        assert total == 7


class TestTurn:
    async def test_is_seen_stopped_and_retried_only_by_those_who_take_part(self, world: World):
        ana, eve = await world.person(), await world.person()
        bo = await world.person(ana.workspace_id, Role.OWNER)
        conversation_id = await world.conversation(ana)
        turn, _ = await world.say(ana, conversation_id)

        for who in (eve, bo):
            async with world.database.reading() as session:
                assert await turns.of_conversation(session, who, conversation_id) == []
                with pytest.raises(NotFound):
                    await turns.one(session, who, turn.id)
            with pytest.raises(NotFound):
                async with change(world.database, world.rooms) as work:
                    await turns.stop(work, who, turn.id)
            with pytest.raises(NotFound):
                async with change(world.database, world.rooms) as work:
                    await submissions.add_retry(work, who, Door.REST, turn.id, "again")

        assert (await world.get(Turn, turn.id)).state == TurnState.RUNNING

    async def test_retried_twenty_times_at_once_is_one_new_turn(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        turn, _ = await world.say(ana, conversation_id)
        async with change(world.database, world.rooms) as work:
            await turns.fail(work, TurnEnding(turn_id=turn.id, error_code="lost", error_detail="Lost."))

        async def retry() -> Turn:
            async with change(world.database, world.rooms) as work:
                new, _ = await submissions.add_retry(work, ana, Door.REST, turn.id, "again")
                return new

        new = {one.id for one in await asyncio.gather(*(retry() for _ in range(20)))}

        assert len(new) == 1
        assert (await world.get(Turn, new.pop())).retry_of == turn.id

    async def test_ended_twenty_times_at_once_has_one_terminal_event(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        turn, _ = await world.say(ana, conversation_id)

        async def end(number: int) -> None:
            async with change(world.database, world.rooms) as work:
                if number % 2:
                    await turns.stop(work, ana, turn.id)
                else:
                    await turns.fail(work, TurnEnding(turn_id=turn.id, error_code="lost", error_detail="Lost."))

        await asyncio.gather(*(end(number) for number in range(20)))

        told = await world.told(conversation_id)
        assert sum(one in {"turn.failed", "turn.stopped"} for one in told) == 1
