"""How a turn ended is told in words; while it works, its steps; and a mirror hears the question too."""

import pytest

from core.clock import now
from core.ids import new_id
from core.permissions import Principal
from core.store import messages, speaking
from core.store.work import change
from core.tables.connect import Delivery, Inbound
from core.tables.talk import Conversation, Message
from core.tables.work import ToolCall, Turn
from tests.workers.delivering.conftest import Office
from workers.delivering.carrier import NotWanted
from workers.delivering.replies import Replies


class Talk:
    """A message that came by Telegram, and its turn."""

    def __init__(self, office: Office, turn: Turn, thread: str) -> None:
        self.office = office
        self.turn = turn
        self.at = ("telegram", "7", thread)

    async def reply(self, thread: str | None = None) -> Delivery:
        wanted = speaking.wanted(self.turn, "reply", "telegram", "7", thread or self.at[2])
        return Delivery(
            id=new_id("dlv"), state="waiting", due_at=now(), created_at=now(), updated_at=now(), **wanted.model_dump()
        )

    async def said(self, thread: str | None = None) -> list[str]:
        message = await Replies(self.office.database).compose(await self.reply(thread))
        return [part.text for part in message.parts]

    async def answer(self, text: str) -> None:
        reply = Message(
            id=messages.reply_id(self.turn.id),
            conversation_id=self.turn.conversation_id,
            workspace_id=self.turn.workspace_id,
            turn_id=self.turn.id,
            position=99,
            role="assistant",
            text=text,
            channel="telegram",
            created_at=now(),
        )
        await self.office.add(reply)

    async def call(self, action: str, state: str, place: int = 0) -> ToolCall:
        row = ToolCall(
            id=new_id("cal"),
            turn_id=self.turn.id,
            conversation_id=self.turn.conversation_id,
            workspace_id=self.turn.workspace_id,
            user_id=self.turn.user_id,
            round=0,
            place=place,
            action=action,
            arguments={},
            schema_digest="",
            risk="write",
            effect="idempotent",
            verdict="allow",
            rule="",
            state=state,
            created_at=now(),
        )
        await self.office.add(row)
        return row


@pytest.fixture
async def talk(office: Office, owner: Principal) -> Talk:
    identity = await office.account(owner)
    conversation = await office.conversation(owner)
    turn, _ = await office.say(owner, conversation, "What is *up*?", "7:ev-1")
    told = Inbound(
        id=new_id("inb"),
        channel="telegram",
        account="7",
        event_id="ev-1",
        thread=identity.thread or "",
        body={},
        state="done",
        due_at=now(),
        created_at=now(),
    )
    await office.add(told)
    await office.alter(Turn, turn.id, door="telegram")
    return Talk(office, await office.get(Turn, turn.id), identity.thread or "")


class TestReplies:
    async def test_an_answer_is_told_where_it_was_asked(self, office: Office, talk: Talk):
        await talk.answer("**All** well")
        await office.alter(Turn, talk.turn.id, state="finished")

        assert await talk.said() == ["**All** well"]

    async def test_elsewhere_the_question_is_told_too(self, office: Office, owner: Principal, talk: Talk):
        await talk.answer("All well")
        await office.alter(Turn, talk.turn.id, state="finished")

        assert await talk.said("-100") == ["What is *up*?", "All well"]

    async def test_a_failure_says_why_and_a_stop_that_it_was(self, office: Office, talk: Talk):
        await office.alter(Turn, talk.turn.id, state="failed", error_detail="The model is away.")
        failed = await talk.said()
        await office.alter(Turn, talk.turn.id, state="stopped")

        assert (failed, await talk.said()) == (["That did not work. The model is away."], ["Stopped."])

    async def test_of_a_deleted_conversation_nothing_is_told(self, office: Office, talk: Talk):
        await office.alter(Conversation, talk.turn.conversation_id, deleted_at=now())

        with pytest.raises(NotWanted):
            await talk.said()


class TestProgress:
    async def show(self, talk: Talk) -> list[Delivery]:
        async with change(talk.office.database, talk.office.rooms) as work:
            at = await speaking.asked_thread(work.session, talk.turn)
            assert at == talk.at
            await speaking.show_progress(work, talk.turn, at)
        return await talk.office.all(Delivery, Delivery.kind == "progress")

    async def test_without_steps_there_is_nothing_to_show(self, talk: Talk):
        assert await self.show(talk) == []

    async def test_one_message_is_edited_when_a_step_changes(self, office: Office, talk: Talk):
        call = await talk.call("tasks.add", "running")
        (row,) = await self.show(talk)
        await office.alter(Delivery, row.id, state="sent", shown=1)
        (same,) = await self.show(talk)
        await office.alter(ToolCall, call.id, state="done")
        (changed,) = await self.show(talk)
        message = await Replies(office.database).progress(changed)

        assert (same.version, changed.version) == (1, 2)
        assert [part.text for part in message.parts] == ["tasks.add … done"]

    async def test_at_its_end_it_is_brought_up_to_date(self, office: Office, talk: Talk):
        await talk.call("tasks.add", "running")
        (row,) = await self.show(talk)
        await office.alter(Delivery, row.id, state="sent", shown=1)
        async with change(office.database, office.rooms) as work:
            await speaking.reply(work, talk.turn)

        assert (await office.get(Delivery, row.id)).version == 2
