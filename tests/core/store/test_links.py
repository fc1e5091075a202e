"""Links between people and their accounts on channels, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from core.consent import Assurance
from core.errors import Conflict, NotAllowed, NotFound, TooMany
from core.ids import new_id
from core.permissions import Principal, Role, Scope
from core.store import deliveries, identities, links, pairings, sessions
from core.store.audit import AuditTrail
from core.store.identities import Account
from core.store.work import Work, change
from core.tables.connect import Delivery
from core.tables.identity import Identity, Link, LinkFailure
from core.tables.people import Membership, User
from core.tables.records import AuditRow
from tests.world import World

HERS = Account(channel="telegram", account="bot", external_id="7", shown_as="Ana \u202egnol", thread="7")
THEIRS = HERS.model_copy(update={"external_id": "666", "thread": "666", "shown_as": "Ana"})


class Desk:
    """Does what the doors do, each in a transaction of its own."""

    def __init__(self, world: World, audit: AuditTrail) -> None:
        self.world, self.audit = world, audit

    async def do(self, change_it: Callable[[Work], Awaitable[Any]]) -> Any:
        async with change(self.world.database, self.world.rooms) as work:
            return await change_it(work)

    async def code(self, who: Principal, channel: str = "telegram") -> str:
        return (await self.do(lambda work: links.new_code(work, self.audit, who, channel)))[1]

    async def redeem(self, code: str, account: Account = HERS) -> Any:
        return await self.do(lambda work: links.redeem(work, code, account))

    async def confirm(self, link_id: str, account: Account = HERS) -> Identity:
        return await self.do(lambda work: links.confirm(work, self.audit, link_id, account))

    async def decline(self, link_id: str, account: Account = HERS) -> None:
        await self.do(lambda work: links.decline(work, self.audit, link_id, account))

    async def link(self, who: Principal, account: Account = HERS) -> Identity:
        asked = await self.redeem(await self.code(who, account.channel), account)
        return await self.confirm(asked.id, account)

    async def pair(self, account: Account = HERS) -> str:
        return await self.do(lambda work: pairings.begin_pairing(work, account))

    async def look_up(self, who: Principal, code: str) -> Any:
        return await self.do(lambda work: pairings.look_up_pairing(work, who, code))

    async def confirm_pairing(self, who: Principal, code: str) -> Any:
        return await self.do(lambda work: pairings.confirm_pairing(work, self.audit, who, code))

    async def unlink(self, who: Principal, identity_id: str) -> Any:
        return await self.do(lambda work: identities.unlink(work, self.audit, who, identity_id))

    async def behind(self, account: Account = HERS) -> Principal | None:
        async with self.world.database.reading() as session:
            return await identities.principal_of(session, account.channel, account.account, account.external_id)

    async def linked(self) -> int:
        return len(await self.world.all(Identity))


@pytest.fixture
def desk(world: World, audit: AuditTrail) -> Desk:
    return Desk(world, audit)


@pytest.fixture
async def ana(world: World) -> Principal:
    return await world.person()


class TestWebFirst:
    async def test_both_sides_agree_and_then_the_chat_is_the_person(self, desk, ana):
        asked = await desk.redeem(await desk.code(ana))
        before = await desk.behind()
        identity = await desk.confirm(asked.id)
        who = await desk.behind()

        assert before is None
        assert asked.state == "confirming"
        assert asked.to.endswith("***@x.test")
        assert who is not None
        assert (who.user_id, who.workspace_id, who.session_id) == (ana.user_id, ana.workspace_id, identity.id)

    async def test_the_person_hears_of_it_and_it_is_in_the_audit(self, desk, world, ana):
        identity = await desk.link(ana)
        kinds = [row.kind for row in await world.all(AuditRow)]

        assert await world.told(ana.membership_id) == ["identity.changed"]
        assert kinds == ["link.begun", "identity.linked"]
        assert identity.shown_as == "Ana [U+202E]gnol"

    async def test_the_code_is_kept_as_a_hash(self, desk, world, ana):
        code = await desk.code(ana)
        row = (await world.all(Link))[0]

        assert len(code) == 22
        assert code not in str(row.model_dump())

    async def test_said_again_by_the_same_account_is_the_same_question(self, desk, ana):
        code = await desk.code(ana)

        assert (await desk.redeem(code)).id == (await desk.redeem(code)).id

    async def test_a_code_is_used_once(self, desk, ana):
        code = await desk.code(ana)
        await desk.confirm((await desk.redeem(code)).id)

        assert await desk.redeem(code, THEIRS) is None
        assert await desk.linked() == 1

    async def test_a_stolen_code_cannot_be_confirmed_by_another_account(self, desk, ana):
        asked = await desk.redeem(await desk.code(ana))
        with pytest.raises(NotFound):
            await desk.confirm(asked.id, THEIRS)

        assert await desk.linked() == 0

    async def test_another_channel_or_bot_knows_nothing_of_it(self, desk, ana):
        code = await desk.code(ana)
        elsewhere = HERS.model_copy(update={"channel": "slack"})
        assert await desk.redeem(code, elsewhere) is None
        asked = await desk.redeem(code)
        with pytest.raises(NotFound):
            await desk.confirm(asked.id, HERS.model_copy(update={"account": "other"}))

        assert await desk.linked() == 0

    @pytest.mark.parametrize("when", ["open", "confirming"])
    async def test_after_ten_minutes_it_is_over(self, desk, world, ana, when):
        code = await desk.code(ana)
        asked = await desk.redeem(code) if when == "confirming" else None
        await world.alter(Link, (await world.all(Link))[0].id, expires_at=now() - timedelta(seconds=1))
        if asked is not None:
            with pytest.raises(NotFound):
                await desk.confirm(asked.id)

        assert await desk.redeem(code) is None
        assert await desk.linked() == 0

    async def test_no_is_no(self, desk, world, ana):
        code = await desk.code(ana)
        asked = await desk.redeem(code)
        await desk.decline(asked.id)
        with pytest.raises(NotFound):
            await desk.confirm(asked.id)

        assert await desk.redeem(code) is None
        assert [row.kind for row in await world.all(AuditRow)][-1] == "link.declined"

    async def test_a_new_code_ends_the_one_before(self, desk, ana):
        first = await desk.code(ana)
        await desk.code(ana)

        assert await desk.redeem(first) is None

    async def test_yes_twice_is_yes_once(self, desk, ana):
        asked = await desk.redeem(await desk.code(ana))

        assert (await desk.confirm(asked.id)).id == (await desk.confirm(asked.id)).id

    async def test_somebody_shut_out_meanwhile_is_not_linked(self, desk, world, ana):
        asked = await desk.redeem(await desk.code(ana))
        await world.alter(Membership, ana.membership_id, disabled_at=now())
        with pytest.raises(NotFound):
            await desk.confirm(asked.id)

        assert await desk.linked() == 0

    async def test_programs_and_chats_make_no_codes(self, desk, ana):
        await desk.link(ana)
        for other in (ana.model_copy(update={"scopes": frozenset(Scope)}), await desk.behind()):
            with pytest.raises(NotAllowed):
                await desk.code(other)


class TestGuessing:
    async def test_a_thousand_codes_link_nothing_and_five_wrong_ones_lock(self, desk, ana):
        await desk.code(ana)
        answers = []
        for number in range(1000):
            try:
                answers.append(await desk.redeem(f"{number:022d}", THEIRS))
            except TooMany:
                answers.append("locked")

        assert answers == [None] * 5 + ["locked"] * 995
        assert await desk.linked() == 0

    async def test_fifty_guesses_at_once_are_five(self, desk, ana):
        await desk.pair()
        guesses = (desk.confirm_pairing(ana, f"AAAA{number:04d}") for number in range(50))
        answers = await asyncio.gather(*guesses, return_exceptions=True)

        assert [one is None for one in answers].count(True) == 5
        assert [type(one) for one in answers].count(TooMany) == 45

    async def test_locked_out_is_the_right_code_too_and_nobody_else(self, desk, ana):
        code = await desk.code(ana)
        for number in range(5):
            await desk.redeem(str(number), THEIRS)
        with pytest.raises(TooMany) as caught:
            await desk.redeem(code, THEIRS)

        assert 3590 < caught.value.retry_after <= 3600
        assert (await desk.redeem(code)).state == "confirming"

    async def test_after_an_hour_it_begins_anew(self, desk, world, ana):
        for number in range(5):
            await desk.redeem(str(number))
        row = (await world.all(LinkFailure))[0]
        past = now() - timedelta(hours=1, seconds=1)
        await world.alter(LinkFailure, row.who, locked_until=past + timedelta(hours=1), last_at=past)

        assert await desk.redeem("wrong") is None
        assert await desk.redeem("wrong") is None

    async def test_a_thousand_pairings_typed_are_five(self, desk, ana):
        await desk.pair()
        locked = 0
        for number in range(1000):
            try:
                assert await desk.confirm_pairing(ana, f"AAAA{number:04d}") is None
            except TooMany:
                locked += 1

        assert locked == 995
        assert await desk.linked() == 0

    async def test_a_right_code_between_wrong_ones_forgets_none(self, desk, ana):
        for _ in range(4):
            await desk.look_up(ana, "AAAA-AAAA")
        await desk.look_up(ana, await desk.pair())
        await desk.look_up(ana, "AAAA-AAAA")
        with pytest.raises(TooMany):
            await desk.look_up(ana, "AAAA-AAAA")


class TestChatFirst:
    async def test_the_account_is_shown_and_then_linked(self, desk, ana):
        code = await desk.pair()
        shown = await desk.look_up(ana, code.lower().replace("-", " "))
        before = await desk.behind()
        identity = await desk.confirm_pairing(ana, code)

        assert before is None
        assert (shown.channel, shown.external_id, shown.shown_as) == ("telegram", "7", "Ana [U+202E]gnol")
        assert (await desk.behind()).user_id == ana.user_id
        assert identity.thread == "7"

    async def test_a_code_has_eight_letters_that_nobody_mixes_up(self, desk):
        code = await desk.pair()

        assert len(code.replace("-", "")) == 8
        assert not set(code) & set("0O1Iabc")

    async def test_a_code_is_used_once(self, desk, world, ana):
        code = await desk.pair()
        await desk.confirm_pairing(ana, code)

        assert await desk.confirm_pairing(await world.person(), code) is None
        assert await desk.linked() == 1

    async def test_after_an_hour_it_is_over(self, desk, world, ana):
        code = await desk.pair()
        await world.alter(Link, (await world.all(Link))[0].id, expires_at=now() - timedelta(seconds=1))

        assert await desk.look_up(ana, code) is None
        assert await desk.confirm_pairing(ana, code) is None

    async def test_one_in_ten_minutes_and_three_at_a_time(self, desk):
        others = [HERS.model_copy(update={"external_id": str(number)}) for number in range(4)]
        await desk.pair(others[0])
        with pytest.raises(TooMany):
            await desk.pair(others[0])
        await desk.pair(others[1])
        await desk.pair(others[2])
        with pytest.raises(TooMany):
            await desk.pair(others[3])

        await desk.pair(others[3].model_copy(update={"account": "another bot"}))

    async def test_a_code_of_a_chat_is_worth_nothing_in_a_chat_and_the_other_way_round(self, desk, ana):
        pairing, code = await desk.pair(), await desk.code(ana)

        assert await desk.redeem(pairing, THEIRS) is None
        assert await desk.confirm_pairing(ana, code) is None


class TestAnAccount:
    async def test_is_of_one_person_on_the_whole_server(self, desk, world, ana):
        other = await world.person()
        asked = await desk.redeem(await desk.code(other))
        pairing = await desk.pair()
        await desk.link(ana)

        for late in (desk.confirm(asked.id), desk.confirm_pairing(other, pairing), desk.pair()):
            with pytest.raises(Conflict):
                await late
        with pytest.raises(Conflict):
            await desk.redeem(await desk.code(other))
        assert (await desk.behind()).user_id == ana.user_id

    async def test_that_five_claim_at_once_is_of_one(self, desk, world):
        people = [await world.person() for _ in range(5)]
        asked = [await desk.redeem(await desk.code(one)) for one in people]
        answers = await asyncio.gather(*(desk.confirm(one.id) for one in asked), return_exceptions=True)

        assert [type(one) for one in answers].count(Conflict) == 4
        assert await desk.linked() == 1

    async def test_of_another_bot_or_channel_is_another_account(self, desk, world, ana):
        await desk.link(ana)
        other = await world.person()
        await desk.link(other, HERS.model_copy(update={"account": "other"}))

        assert (await desk.behind()).user_id == ana.user_id

    async def test_nobody_has_more_than_ten(self, desk, world, ana):
        codes = await desk.redeem(await desk.code(ana))
        for number in range(10):
            row = Identity(
                id=new_id("idn"),
                user_id=ana.user_id,
                workspace_id=ana.workspace_id,
                channel="slack",
                account="",
                external_id=str(number),
                linked_at=now(),
            )
            await world.add(row)
        for more in (desk.code(ana), desk.confirm(codes.id)):
            with pytest.raises(Conflict):
                await more

    async def test_is_nobody_when_unknown_or_its_person_is_shut_out(self, desk, world, ana):
        await desk.link(ana)
        unknown = await desk.behind(THEIRS)
        await world.alter(Membership, ana.membership_id, disabled_at=now())
        shut_out = await desk.behind()
        await world.alter(Membership, ana.membership_id, disabled_at=None)
        await world.alter(User, ana.user_id, disabled_at=now())

        assert (unknown, shut_out, await desk.behind()) == (None, None, None)

    async def test_has_the_role_of_this_moment_and_is_sure_to_the_second_level(self, desk, world, ana):
        await desk.link(ana)
        await world.alter(Membership, ana.membership_id, role=Role.APPROVER)
        who = await desk.behind()
        async with world.database.reading() as session:
            sure = await sessions.assurance_of(session, who, timedelta(hours=1))

        assert (who.role, sure) == (Role.APPROVER, Assurance.L2)


class TestReached:
    async def ids(self, desk: Desk, who: Principal) -> list[str]:
        async with desk.world.database.reading() as session:
            return [one.id for one in await identities.reached(session, who.workspace_id, [who.user_id])]

    async def test_whole_accounts_of_people_who_are_here(self, desk, world, ana):
        identity = await desk.link(ana)
        stranger = await world.person()
        whole = await self.ids(desk, ana)
        await desk.do(lambda work: identities.mark_broken(work, identity.id))
        await desk.do(lambda work: identities.mark_broken(work, identity.id))
        broken = await self.ids(desk, ana)
        await desk.do(lambda work: identities.mark_whole(work, identity.id))

        assert (whole, broken, await self.ids(desk, ana)) == ([identity.id], [], [identity.id])
        assert await self.ids(desk, stranger) == []
        assert await world.told(ana.membership_id) == ["identity.changed"] * 3

    async def test_private_chats_share_the_current_conversation(self, desk, world, ana):
        first, second = await desk.link(ana), await desk.link(ana, THEIRS)
        conversation = await world.conversation(ana)
        await desk.do(lambda work: identities.set_conversation(work, first.id, conversation))
        async with world.database.reading() as session:
            assert await identities.current_conversation(session, second.id) == conversation

    async def test_a_conversation_of_others_is_never_the_current_one(self, desk, world, ana):
        identity = await desk.link(ana)
        others = await world.conversation(await world.person(ana.workspace_id))
        with pytest.raises(NotFound):
            await desk.do(lambda work: identities.set_conversation(work, identity.id, others))
        async with world.database.reading() as session:
            assert await identities.current_conversation(session, identity.id) is None


class TestUpkeep:
    async def test_what_came_to_nothing_a_month_ago_is_forgotten(self, desk, world, ana):
        await desk.link(ana)
        await desk.code(ana)
        for row in await world.all(Link):
            await world.alter(Link, row.id, expires_at=now() - timedelta(days=31))
        await desk.redeem("wrong", THEIRS)
        row = next(one for one in await world.all(LinkFailure) if one.count)
        await world.alter(LinkFailure, row.who, last_at=now() - timedelta(days=2))
        await desk.pair(THEIRS.model_copy(update={"external_id": "8"}))

        assert sorted(one.state for one in await world.all(Link)) == ["linked", "open"]
        assert [one for one in await world.all(LinkFailure) if one.count] == []


class TestUnlinking:
    async def delivery(self, world: World, who: Principal, kind: str, state: str, thread: str = "7") -> str:
        at = now()
        row = Delivery(
            id=new_id("dlv"),
            workspace_id=who.workspace_id,
            kind=kind,
            ref=new_id("apr"),
            user_id=who.user_id,
            channel="telegram",
            account="bot",
            thread=thread,
            body={},
            token_hash=new_id("tok"),
            state=state,
            due_at=at,
            created_at=at,
            updated_at=at,
        )
        await world.add(row)
        return row.id

    async def test_stops_what_is_on_its_way_and_voids_the_buttons(self, desk, world, ana):
        identity = await desk.link(ana)
        there = [await self.delivery(world, ana, *one) for one in (("prompt", "waiting"), ("prompt", "sent"))]
        elsewhere = await self.delivery(world, ana, "prompt", "waiting", thread="8")
        await desk.unlink(ana, identity.id)
        rows = [await world.get(Delivery, one) for one in there]
        kept = await world.get(Delivery, elsewhere)

        assert [(row.state, row.detail, row.token_hash) for row in rows] == [("dropped", "unlinked", None)] * 2
        assert kept.state == "waiting"
        assert kept.token_hash is not None
        assert await desk.behind() is None

    async def test_reaches_what_is_just_being_sent(self, desk, world, ana):
        identity = await desk.link(ana)
        sent = await world.get(Delivery, await self.delivery(world, ana, "prompt", "waiting"))
        await desk.unlink(ana, identity.id)
        async with change(world.database, world.rooms) as work:
            await deliveries.arm(work.session, sent.id, "a token", {})
            await deliveries.sent(work, sent, "4711")
        row = await world.get(Delivery, sent.id)

        assert (row.state, row.token_hash, row.external_ref) == ("dropped", None, "4711")

    async def test_is_told_and_audited_and_the_account_is_free_again(self, desk, world, ana):
        identity = await desk.link(ana)
        view = await desk.unlink(ana, identity.id)
        other = await world.person()
        await desk.link(other)

        assert view.unlinked_at is not None
        assert await world.told(ana.membership_id) == ["identity.changed"] * 2
        assert "identity.unlinked" in [row.kind for row in await world.all(AuditRow)]
        assert (await desk.behind()).user_id == other.user_id

    @pytest.mark.parametrize("role", [Role.MEMBER, Role.APPROVER, Role.VIEWER])
    async def test_is_not_for_others(self, desk, world, ana, role):
        identity = await desk.link(ana)
        outsider = await world.person(role=Role.OWNER)
        for other in (await world.person(ana.workspace_id, role), outsider):
            with pytest.raises(NotFound):
                await desk.unlink(other, identity.id)

        assert await desk.linked() == 1

    async def test_is_for_owners_and_admins_and_for_the_chat_itself(self, desk, world, ana):
        await desk.unlink(await world.person(ana.workspace_id, Role.ADMIN), (await desk.link(ana)).id)
        identity = await desk.link(ana, THEIRS)
        await desk.unlink(await desk.behind(THEIRS), identity.id)

        assert await desk.linked() == 0
