"""From the door to the last file: what was forgotten over REST is in neither the database's files nor the index's."""

from pathlib import Path

from core.store import messages
from core.tables.talk import Message
from core.tables.work import Turn
from tests.api.rest.house import House, Person
from tests.api.rest.test_facts import add, raw, said
from tests.workers.memory.stage import Stage as Memory


async def ended(memory: Memory, message_id: str) -> None:
    """Let the message's turn be answered."""
    message = await memory.get(Message, message_id)
    reply = Message(
        id=messages.reply_id(message.turn_id),
        conversation_id=message.conversation_id,
        workspace_id=message.workspace_id,
        turn_id=message.turn_id,
        position=message.position + 10_000,
        role="assistant",
        text="Zyreply9876 is a fine word.",
        channel="rest",
        created_at=message.created_at,
    )
    await memory.add(reply)
    turn = await memory.get(Turn, message.turn_id)
    await memory.alter(Turn, turn.id, state="finished", ended_at=message.created_at)
    await memory.note("turn", turn.id)


class TestForgottenEverywhere:
    async def test_a_fact_and_the_talk_it_is_from(
        self, house: House, ana: Person, conversation_id: str, tmp_path: Path
    ):
        memory = Memory(house.database, tmp_path / "memory")
        await add(ana, "I like tea.")
        fact_id, message_id = await said(
            house, ana, conversation_id, "I am fond of zymessage9876", "The user is fond of zyfact9876."
        )
        await ended(memory, message_id)
        await memory.learn()
        words = ("zymessage9876", "zyfact9876", "Zyreply9876")
        assert all(memory.holds(one) for one in words)

        await ana.ask("DELETE", f"/facts/{fact_id}")
        await memory.learn()
        await memory.tend()
        assert await house.database.wipe_log()

        assert [memory.holds(one) for one in words] == [[], [], []]
        assert [hit for hit in await memory.find(ana.principal, "zyfact9876") if hit.text_rank] == []
        assert (await memory.verify()).clean
        assert b"zyfact9876" not in raw(tmp_path)
        # The conversation keeps its own words, and says that they are not recalled.
        assert b"zymessage9876" in raw(tmp_path)
        assert (await memory.get(Message, message_id)).forgotten_at is not None
