"""Somebody with as many facts as are kept is not told that another will be remembered."""

from core.store import facts
from core.store.work import change
from tests.workers.thinking.test_brief import briefed
from workers.llm.offline.assistant import OfflineAssistant
from workers.llm.port import ModelRequest, TextDelta
from workers.thinking.prompt import FACTS_FULL


async def said(request: ModelRequest) -> str:
    return "".join([item.text async for item in OfflineAssistant().stream(request) if isinstance(item, TextDelta)])


class TestFactsFull:
    async def test_nothing_more_is_promised(self, mind, ana, world, monkeypatch):
        turn, _ = await world.say(ana, await world.conversation(ana), "remember that I like tea")
        _, before = await briefed(mind, turn)
        monkeypatch.setattr(facts, "MOST", 1)
        async with change(world.database, world.rooms) as work:
            await facts.add(work, facts.written_by(ana), "I like milk.")
        _, after = await briefed(mind, turn)

        assert "I will remember: I like tea" in await said(before.request)
        assert "I will remember" not in await said(after.request)
        assert "as many facts about you as I keep" in await said(after.request)
        assert [FACTS_FULL in one.request.entries[-1].aside for one in (before, after)] == [False, True]

    async def test_others_facts_do_not_count(self, mind, ana, world, monkeypatch):
        bo = await world.person(ana.workspace_id)
        monkeypatch.setattr(facts, "MOST", 1)
        async with change(world.database, world.rooms) as work:
            await facts.add(work, facts.written_by(bo), "I like milk.")
        turn, _ = await world.say(ana, await world.conversation(ana), "remember that I like tea")
        _, found = await briefed(mind, turn)

        assert not found.request.facts_full
