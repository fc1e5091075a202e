"""Summaries: the older half of a long talk, version by version, for each branch, without what was forgotten."""

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.testing import ActivityEnvironment

from core.clock import now
from core.ids import new_id
from core.store import forgetting, summaries
from core.store.work import change
from core.tables.cost import Usage
from core.tables.memory import Summary
from core.tables.talk import Branch
from core.tables.work import Outbox, Turn
from tests.workers.reflecting.conftest import SayingModel, Told, told_to
from workers.reflecting.summarise import LABEL

LONG = "We talked about {} for a while. " + "More of it. " * 20
OFFLINE = SayingModel("never", offline=True)


async def summarise(world: Told, turn: Turn, model: SayingModel) -> int:
    """Sum up until nothing is due, as the workflow does; gives how many steps wrote."""
    for number in range(20):
        done = await ActivityEnvironment().run(world.summariser(model).summarise, turn.id)
        if not done.again:
            return number
    raise AssertionError("it never ends")


async def talk_of(world: Told, ana, talk_id: str, *topics: str) -> list[Turn]:
    return [await world.talk(ana, talk_id, LONG.format(topic), f"Yes, {topic}.") for topic in topics]


async def newest(world: Told, turn: Turn) -> Summary | None:
    async with world.database.reading() as session:
        return await summaries.newest(session, turn.conversation_id, turn.branch_id)


async def newest_id(session: AsyncSession, conversation_id: str, branch_id: str | None) -> str | None:
    found = await summaries.newest(session, conversation_id, branch_id)
    return None if found is None else found.id


class TestSummaries:
    async def test_a_short_talk_has_none(self, world: Told, ana, talk_id):
        (turn,) = await talk_of(world, ana, talk_id, "tea")

        assert await summarise(world, turn, OFFLINE) == 0
        assert await world.all(Summary) == []

    async def test_the_older_half_is_told_by_the_model(self, world: Told, ana, talk_id):
        said = await talk_of(world, ana, talk_id, "tea", "milk", "rice", "salt")
        model = SayingModel("They talked about tea.")

        assert await summarise(world, said[-1], model) >= 1

        found = await newest(world, said[-1])
        assert found is not None
        assert (found.text, found.model) == ("They talked about tea.", "saying-1")
        assert said[0].place <= found.upto_place < said[-1].place
        told = told_to(model, 0)
        assert "tea" in told
        assert "salt" not in told
        (first, *_) = await world.all(Usage, Usage.purpose == "summary")
        assert first.state == "settled"

    async def test_each_version_goes_on_from_the_one_before(self, world: Told, ana, talk_id):
        said = await talk_of(world, ana, talk_id, "tea", "milk", "rice", "salt")
        await summarise(world, said[-1], SayingModel("First."))
        said += await talk_of(world, ana, talk_id, "bread", "eggs", "fish")
        model = SayingModel("Second.")
        await summarise(world, said[-1], model)

        versions = sorted(await world.all(Summary), key=lambda row: row.version)
        assert [row.version for row in versions] == list(range(1, len(versions) + 1))
        assert [row.upto_place for row in versions] == sorted({row.upto_place for row in versions})
        assert "First." in told_to(model, 0)
        assert "tea" not in told_to(model, 0)

    async def test_without_a_model_first_sentences_stand_in_and_say_so(self, world: Told, ana, talk_id):
        said = await talk_of(world, ana, talk_id, "tea", "milk", "rice", "salt")

        await summarise(world, said[-1], OFFLINE)

        found = await newest(world, said[-1])
        assert found is not None
        assert found.model == "extract"
        assert found.text.startswith(LABEL)
        assert "Person: We talked about" in found.text
        assert len(found.text) <= 200
        assert await world.all(Usage, Usage.purpose == "summary") == []

    async def test_many_short_turns_are_summed_up_too(self, world: Told, ana, talk_id, monkeypatch):
        monkeypatch.setattr(summaries, "WINDOW", 4)
        said = [await world.talk(ana, talk_id, f"n{n}", "y") for n in range(summaries.WINDOW + 1)]

        assert await summarise(world, said[-1], OFFLINE) == 1

    async def test_nothing_is_written_when_another_version_came_meanwhile(self, world: Told, ana, talk_id):
        said = await talk_of(world, ana, talk_id, "tea", "milk", "rice", "salt")

        class Slow(SayingModel):
            async def stream(self, request):
                if not self.requests:
                    await summarise(world, said[-1], SayingModel("Other."))
                async for item in super().stream(request):
                    yield item

        await summarise(world, said[-1], Slow("Mine."))

        assert {row.text for row in await world.all(Summary)} == {"Other."}


class TestForgotten:
    async def test_what_is_forgotten_leaves_the_summary_which_is_made_again(self, world: Told, ana, talk_id):
        said = await talk_of(world, ana, talk_id, "tea", "milk", "rice", "salt")
        await summarise(world, said[-1], OFFLINE)
        async with change(world.database, world.rooms) as work:
            await forgetting.forget_message(work, ana, said[0].message_id)

        assert await world.all(Summary) == []
        (asked,) = await world.all(Outbox, Outbox.kind == "reflect", Outbox.ref.startswith("ref_"))
        assert asked.body == {"turn_id": said[-1].id, "learn": False, "sum_up": True}
        assert len(await world.all(Outbox, Outbox.kind == "wipe")) == 1

        await summarise(world, said[-1], OFFLINE)
        found = await newest(world, said[-1])
        assert found is not None
        assert "tea" not in found.text
        assert "milk" in found.text

    async def test_forgetting_while_it_is_written_wins(self, world: Told, ana, talk_id):
        said = await talk_of(world, ana, talk_id, "tea", "milk", "rice", "salt")

        class Slow(SayingModel):
            async def stream(self, request):
                if not self.requests:
                    async with change(world.database, world.rooms) as work:
                        await forgetting.forget_message(work, ana, said[0].message_id)
                async for item in super().stream(request):
                    yield item

        model = Slow("Told of tea.", "Told of milk.")
        await summarise(world, said[-1], model)

        assert "Told of tea." not in {row.text for row in await world.all(Summary)}
        assert "tea" not in told_to(model, -1)


class TestBranches:
    async def test_a_branch_goes_on_from_the_version_before_its_fork(self, world: Told, ana, talk_id):
        said = await talk_of(world, ana, talk_id, "tea", "milk")
        early = await self._summary(world, talk_id, None, said[0].place, 1)
        late = await self._summary(world, talk_id, None, said[1].place, 2)
        branch = Branch(
            id=new_id("brn"),
            conversation_id=talk_id,
            forked_at=said[1].place,
            begun_at=said[1].place + 1,
            replaces_turn_id=said[1].id,
            reason="edit",
            created_by=ana.user_id,
            created_at=now(),
        )
        await world.add(branch)

        async with world.database.reading() as session:
            assert await newest_id(session, talk_id, None) == late
            assert await newest_id(session, talk_id, branch.id) == early
        own = await self._summary(world, talk_id, branch.id, said[1].place + 5, 3)
        async with world.database.reading() as session:
            assert await newest_id(session, talk_id, branch.id) == own
            assert await newest_id(session, talk_id, None) == late

    async def _summary(self, world: Told, talk_id: str, branch_id: str | None, upto: int, version: int) -> str:
        row = Summary(
            id=new_id("sum"),
            conversation_id=talk_id,
            branch_id=branch_id,
            version=version,
            upto_place=upto,
            text="x",
            model="m",
            created_at=now(),
        )
        await world.add(row)
        return row.id
