"""Several models before a weighty action: most of them decide what is asked, and everybody sees how far they agreed."""

from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from core.tables.cost import Usage
from core.tables.work import Round
from core.values import CallState, TurnState
from core.views import ConsensusView
from tests.doubles.openai_server import Answer, Script, serving
from tests.workflows.stage import Stage, open_stage
from tests.world import eventually

pytestmark = pytest.mark.server

NAMES = ("first", "second", "third")


def drop(text: str) -> Answer:
    return Answer(text="Dropping it.", calls=({"name": "note__drop", "arguments": {"text": text}},))


def read(text: str) -> Answer:
    return Answer(calls=({"name": "note__read", "arguments": {"text": text}},))


DONE = Answer(text="Done.", contains='"role": "tool"')
BROKEN = Answer(status=500)
NOTHING = Answer(text="Better not.")


@pytest.fixture
async def voting(tmp_path, sqlite_database, client, ring):
    """Set a stage where three models each give one answer."""
    async with AsyncExitStack() as keep:

        @asynccontextmanager
        async def set_stage(*answers: Answer, asked=NAMES):
            scripts = [Script([DONE, one]) for one in answers]
            doubles = [await keep.enter_async_context(serving(script)) for script in scripts]
            models = [{"name": name, "base_url": double.base_url} for name, double in zip(NAMES, doubles, strict=True)]
            rule = {"models": asked}
            async with open_stage(tmp_path, sqlite_database, client, ring, models=models, consensus=rule) as stage:
                async with stage.working():
                    yield stage, scripts

        yield set_stage


async def spread(stage: Stage, turn_id: str) -> ConsensusView:
    rows = await stage.all(Round, Round.turn_id == turn_id, Round.number == 0)
    return ConsensusView.model_validate(rows[0].consensus)


async def charged(stage: Stage, turn_id: str) -> list[tuple[str, str, str]]:
    rows = await stage.all(Usage, Usage.turn_id == turn_id, Usage.round == 0)
    return sorted((row.purpose, row.model, row.state) for row in rows)


class TestConsensus:
    async def test_what_most_would_do_is_asked_and_shows_how_far_they_agreed(self, voting):
        async with voting(drop("a"), drop("a"), drop("b")) as (stage, _):
            sent = await stage.send("tidy up")
            approval = (await stage.pending())[0]
            view = await spread(stage, sent.turn_id)

            assert (view.agreed, view.asked, view.reached) == (2, 3, True)
            assert [(one.model, one.agrees) for one in view.answers] == [
                ("first", True),
                ("second", True),
                ("third", False),
            ]
            assert approval.preview.warnings[0].startswith("2 of 3 models would do exactly this; third")
            assert await charged(stage, sent.turn_id) == [
                ("consensus", "second", "settled"),
                ("consensus", "third", "settled"),
                ("reply", "first", "settled"),
            ]

    async def test_the_majority_overrules_who_answered(self, voting):
        async with voting(drop("b"), drop("a"), drop("a")) as (stage, _):
            await stage.send("tidy up")

            assert (await stage.pending())[0].arguments == {"text": "a"}

    @pytest.mark.parametrize("others", [(NOTHING, NOTHING), (drop("b"), drop("c")), (BROKEN, BROKEN)])
    async def test_without_a_majority_nothing_is_done_and_the_reply_says_so(self, voting, others):
        async with voting(drop("a"), *others) as (stage, _):
            turn = await stage.ended((await stage.send("tidy up")).turn_id)

            assert turn.state == TurnState.FINISHED
            assert await stage.calls(turn.id) == []
            assert "did not agree" in await stage.reply(turn.id)
            assert len((await spread(stage, turn.id)).answers) == 3

    async def test_what_is_not_weighty_asks_nobody_else(self, voting):
        async with voting(read("a"), read("b"), read("b")) as (stage, scripts):
            turn = await stage.ended((await stage.send("look")).turn_id)

            assert [call.state for call in await stage.calls(turn.id)] == [CallState.DONE]
            assert [len(script.requests) for script in scripts] == [2, 0, 0]

    async def test_a_model_that_is_not_there_does_not_agree(self, voting):
        async with voting(drop("a"), drop("a"), drop("a"), asked=("first", "ghost")) as (stage, _):
            turn = await stage.ended((await stage.send("tidy up")).turn_id)

            assert [one.fault for one in (await spread(stage, turn.id)).answers] == [None, "is not there"]
            assert await stage.calls(turn.id) == []

    async def test_who_answered_is_paid_though_the_others_were_stopped(self, voting):
        async with voting(drop("a"), Answer(fault="silent"), drop("a")) as (stage, scripts):
            sent = await stage.send("tidy up")

            async def asked() -> bool:
                return bool(scripts[1].requests)

            await eventually(asked)
            await stage.intake.stop_turn(stage.ana, sent.turn_id)
            await stage.ended(sent.turn_id)

            async def paid() -> bool:
                return ("reply", "first", "settled") in await charged(stage, sent.turn_id)

            await eventually(paid)
