"""Reservations and budgets, on both databases: never over, not even by many at once; one answer is charged once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from core.clock import now
from core.errors import BudgetExhausted, Invalid, NotAllowed, NotFound, PriceUnknown
from core.permissions import Principal, Role
from core.store import budgets, limits, model_rules, usage
from core.store.audit import AuditTrail
from core.store.budgets import begins_at, renews_at
from core.store.usage import Charge, Figures
from core.store.work import change
from core.tables.cost import Usage
from core.tables.records import AuditRow
from core.tables.work import Turn
from core.values import TurnState
from tests.world import World


class Till:
    """Where calls are paid."""

    def __init__(self, world: World, audit: AuditTrail) -> None:
        self.world = world
        self.audit = audit

    async def bound(
        self, owner: Principal, user: Principal | None = None, period: str = "day", **most: int | None
    ) -> str:
        async with change(self.world.database, self.world.rooms) as work:
            view = await budgets.put(
                work,
                self.audit,
                owner,
                user_id=user.user_id if user else None,
                period=period,
                money_micros=most.get("money"),
                tokens=most.get("tokens"),
            )
        return view.id

    async def reserve(self, charge: Charge) -> str:
        async with change(self.world.database, self.world.rooms) as work:
            return await usage.reserve(work, charge)

    async def settle(self, usage_id: str, figures: Figures) -> None:
        async with change(self.world.database, self.world.rooms) as work:
            await usage.settle(work, usage_id, figures)

    async def paid(self, charge: Charge, figures: Figures) -> str:
        async with change(self.world.database, self.world.rooms) as work:
            return usage.record(work, charge, figures)

    async def abandon(self, charge: Charge, usage_id: str | None, figures: Figures) -> None:
        async with change(self.world.database, self.world.rooms) as work:
            await usage.abandon(work, charge, usage_id, figures)

    async def states(self, **where: Any) -> list[str]:
        rows = await self.world.all(Usage, *(getattr(Usage, name) == value for name, value in where.items()))
        return [row.state for row in sorted(rows, key=lambda row: row.id)]


def charge(who: Principal, tokens: int = 100, micros: int | None = 10, **more: Any) -> Charge:
    return Charge(
        workspace_id=who.workspace_id, user_id=who.user_id, model="small", tokens=tokens, micros=micros, **more
    )


def figures(tokens: int = 60, micros: int | None = 6) -> Figures:
    return Figures(model="small-1", input_tokens=tokens - 10, output_tokens=10, micros=micros)


@pytest.fixture
def till(world: World, audit: AuditTrail) -> Till:
    return Till(world, audit)


@pytest.fixture
async def ana(world: World) -> Principal:
    return await world.person(role=Role.OWNER)


@pytest.fixture
async def bo(world: World, ana: Principal) -> Principal:
    return await world.person(ana.workspace_id)


class TestReserving:
    async def test_many_at_once_never_go_over(self, till: Till, ana: Principal, bo: Principal):
        await till.bound(ana, tokens=1000)
        await till.bound(ana, bo, money=55, period="month")

        asked = [till.reserve(charge(who)) for _ in range(12) for who in (ana, bo)]
        answers = await asyncio.gather(*asked, return_exceptions=True)

        given = [one for one in answers if isinstance(one, str)]
        refused = [one for one in answers if isinstance(one, BudgetExhausted)]
        bos = await till.world.all(Usage, Usage.user_id == bo.user_id)
        assert (len(given), len(refused)) == (10, 14)
        assert len(bos) <= 5

    async def test_what_is_given_back_may_be_used(self, till: Till, ana: Principal):
        await till.bound(ana, tokens=100)
        first = await till.reserve(charge(ana))
        with pytest.raises(BudgetExhausted):
            await till.reserve(charge(ana, tokens=1))
        async with change(till.world.database, till.world.rooms) as work:
            await usage.release(work, first)

        assert await till.reserve(charge(ana))

    async def test_what_was_used_counts_by_the_providers_figures(self, till: Till, ana: Principal):
        await till.bound(ana, tokens=100)
        await till.settle(await till.reserve(charge(ana)), figures(60))

        assert await till.reserve(charge(ana, tokens=40))
        with pytest.raises(BudgetExhausted):
            await till.reserve(charge(ana, tokens=1))

    async def test_the_sentence_says_which_budget_and_what_is_left_and_when_it_renews(
        self, till: Till, ana: Principal, bo: Principal
    ):
        await till.bound(ana, bo, money=1_500_000, period="month")
        await till.paid(charge(bo), figures(micros=1_400_000))

        with pytest.raises(BudgetExhausted) as caught:
            await till.reserve(charge(bo, micros=200_000))

        renews = renews_at("month", now())
        assert caught.value.detail == (
            "Your budget for this month does not allow this: 0.10 of 1.50 US dollars are left, this may take 0.20. "
            f"It begins anew on {renews:%Y-%m-%d} at 00:00 UTC. Nothing was sent to a model."
        )
        assert caught.value.more == {"period": "month", "renews_at": renews.isoformat()}
        assert await till.states(state="reserved") == []

    async def test_yesterday_does_not_count_today(self, till: Till, ana: Principal):
        await till.bound(ana, tokens=100)
        paid = await till.paid(charge(ana), figures(100))
        await till.world.alter(Usage, paid, created_at=begins_at("day", now()) - timedelta(seconds=1))

        assert await till.reserve(charge(ana))

    async def test_others_and_other_workspaces_do_not_count(self, till: Till, ana: Principal, bo: Principal):
        eve = await till.world.person(role=Role.OWNER)
        await till.bound(ana, bo, tokens=100)
        for who in (ana, eve):
            await till.paid(charge(who), figures(100))

        assert await till.reserve(charge(bo))
        assert await till.reserve(charge(ana))

    async def test_an_unknown_price_is_refused_by_a_budget_in_money_only(self, till: Till, ana: Principal):
        await till.bound(ana, tokens=100)
        assert await till.reserve(charge(ana, tokens=10, micros=None))

        await till.bound(ana, money=100, period="month")
        with pytest.raises(PriceUnknown, match="price of this model is not known"):
            await till.reserve(charge(ana, tokens=10, micros=None))

    async def test_a_budget_of_nothing_allows_nothing(self, till: Till, ana: Principal):
        await till.bound(ana, tokens=0)
        with pytest.raises(BudgetExhausted):
            await till.reserve(charge(ana, tokens=1))


class TestOneAnswer:
    @pytest.fixture
    async def turn(self, world: World, ana: Principal) -> Turn:
        turn, _ = await world.say(ana, await world.conversation(ana))
        return turn

    async def test_a_newer_attempt_takes_the_place_of_a_killed_one(self, till: Till, ana: Principal, turn: Turn):
        await till.bound(ana, tokens=150)
        killed = await till.reserve(charge(ana, turn_id=turn.id))
        second = await till.reserve(charge(ana, turn_id=turn.id, attempt=2))
        await till.settle(second, figures(60))

        assert (await till.world.get(Usage, killed)).state == usage.LAPSED
        async with till.world.database.reading() as session:
            spent = await budgets.spent(session, ana.workspace_id, None, begins_at("day", now()))
            assert await usage.tried(session, turn.id, 0) == []
        assert (spent.tokens, spent.micros) == (60, 6)

    async def test_a_round_has_one_settled_reply(self, till: Till, ana: Principal, turn: Turn):
        await till.paid(charge(ana, turn_id=turn.id), figures())
        with pytest.raises(IntegrityError):
            await till.paid(charge(ana, turn_id=turn.id, attempt=2), figures())

        assert await till.paid(charge(ana, turn_id=turn.id, purpose="facts"), figures())
        assert await till.paid(charge(ana, turn_id=turn.id, round=1), figures())

    async def test_a_stopped_call_is_paid_by_what_it_said(self, till: Till, ana: Principal, turn: Turn):
        await till.world.alter(Turn, turn.id, state=TurnState.STOPPED, ended_at=now())
        estimate = Figures(model="small", estimated_tokens=42, micros=4)
        reserved = await till.reserve(charge(ana, turn_id=turn.id))
        await till.abandon(charge(ana, turn_id=turn.id), reserved, estimate)
        await till.abandon(charge(ana, turn_id=turn.id), None, estimate)

        (row,) = await till.world.all(Usage, Usage.turn_id == turn.id)
        assert (row.state, row.estimated, row.input_tokens, row.cost_micros) == ("settled", True, None, 4)
        async with till.world.database.reading() as session:
            assert (await budgets.spent(session, ana.workspace_id, None, begins_at("day", now()))).tokens == 42

    async def test_an_attempt_that_another_replaced_pays_nothing(self, till: Till, ana: Principal, turn: Turn):
        old = await till.reserve(charge(ana, turn_id=turn.id))
        await till.world.alter(Turn, turn.id, attempt=2)
        await till.abandon(charge(ana, turn_id=turn.id), old, figures())
        await till.world.alter(Turn, turn.id, state=TurnState.FINISHED, ended_at=now())
        await till.abandon(charge(ana, turn_id=turn.id), None, figures())

        assert await till.states(turn_id=turn.id) == [usage.LAPSED]

    async def test_a_call_whose_figures_never_come_counts_as_reserved(self, till: Till, ana: Principal):
        await till.settle(await till.reserve(charge(ana)), Figures(model="small-1"))

        async with till.world.database.reading() as session:
            spent = await budgets.spent(session, ana.workspace_id, ana.user_id, begins_at("day", now()))
        assert (spent.tokens, spent.micros) == (100, 10)

    async def test_upkeep_gives_back_what_a_crash_left(self, till: Till, ana: Principal, turn: Turn):
        left = await till.reserve(charge(ana, turn_id=turn.id))
        aside = await till.reserve(charge(ana, turn_id=turn.id, purpose="facts"))
        old = await till.reserve(charge(ana))
        await till.world.alter(Usage, old, created_at=now() - timedelta(hours=1))
        await till.world.alter(Turn, turn.id, state=TurnState.FAILED, ended_at=now() - timedelta(minutes=1))
        async with till.world.database.writing() as session:
            assert await usage.lapse_lost(session) == 2

        assert [(await till.world.get(Usage, one)).state for one in (left, aside, old)] == [
            "lapsed",
            "reserved",
            "lapsed",
        ]


class TestBudgets:
    async def test_one_for_each_person_and_period(self, till: Till, ana: Principal, bo: Principal):
        first = await till.bound(ana, tokens=1)
        again = await till.bound(ana, tokens=2)
        others = [await till.bound(ana, period="month", tokens=3), await till.bound(ana, bo, tokens=4)]
        async with till.world.database.reading() as session:
            mine, _, total = await budgets.page(session, bo, limit=10, cursor=None)

        assert first == again
        assert {one.id: one.tokens for one in mine} == {first: 2, others[0]: 3, others[1]: 4}
        assert total == 3

    async def test_two_at_once_make_one(self, till: Till, ana: Principal):
        made = await asyncio.gather(*(till.bound(ana, tokens=number) for number in range(4)))

        assert len(set(made)) == 1

    async def test_only_owners_and_admins_set_them_and_for_people_here(self, till: Till, ana: Principal, bo: Principal):
        eve = await till.world.person(role=Role.OWNER)
        made = await till.bound(ana, tokens=1)
        with pytest.raises(NotAllowed):
            await till.bound(bo, tokens=1)
        with pytest.raises(NotFound):
            await till.bound(ana, eve, tokens=1)
        with pytest.raises(Invalid):
            await till.bound(ana)
        async with change(till.world.database, till.world.rooms) as work:
            with pytest.raises(NotFound):
                await budgets.remove(work, till.audit, eve, made)

    async def test_changes_are_in_the_audit_log(self, till: Till, ana: Principal):
        made = await till.bound(ana, money=5)
        async with change(till.world.database, till.world.rooms) as work:
            await budgets.remove(work, till.audit, ana, made)

        rows = await till.world.all(AuditRow, AuditRow.subject == made)
        assert [(row.kind, row.actor) for row in sorted(rows, key=lambda row: row.number)] == [
            ("budget.set", ana.user_id),
            ("budget.removed", ana.user_id),
        ]

    @pytest.mark.parametrize(
        ("period", "begin", "renewal"),
        [("day", "2026-12-31", "2027-01-01"), ("month", "2026-12-01", "2027-01-01")],
    )
    def test_periods_are_those_of_utc(self, period, begin, renewal):
        at = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)

        assert begins_at(period, at) == datetime.fromisoformat(begin).replace(tzinfo=UTC)
        assert renews_at(period, at) == datetime.fromisoformat(renewal).replace(tzinfo=UTC)


class TestModelRules:
    async def test_a_person_may_never_more_than_the_workspace(self, till: Till, ana: Principal, bo: Principal):
        async def allow(user_id: str | None, *names: str) -> None:
            async with change(till.world.database, till.world.rooms) as work:
                await model_rules.put(work, till.audit, ana, user_id=user_id, allowed=names)

        async def allowed(who: Principal) -> limits.Limits:
            async with till.world.database.reading() as session:
                return await limits.limits_of(session, who.workspace_id, who.user_id)

        assert await allowed(bo) == limits.Limits()
        await allow(bo.user_id, "small", "strong")
        assert (await allowed(bo)).allowed == frozenset({"small", "strong"})
        assert (await allowed(ana)).allowed is None
        await allow(None, "small", "medium")
        await till.bound(ana, bo, tokens=1)

        assert await allowed(bo) == limits.Limits(budgeted=True, allowed=frozenset({"small"}))
        assert await allowed(ana) == limits.Limits(budgeted=False, allowed=frozenset({"small", "medium"}))
