"""People, sessions and invitations, on both databases."""

import asyncio
from datetime import timedelta

import pytest

from core.clock import now
from core.errors import Conflict, NotAllowed, NotFound, NotSignedIn
from core.permissions import Principal, Role
from core.rooms import LocalRooms
from core.store import invitations, people, sessions
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.sessions import Opened, Reused
from core.store.work import Work, change
from core.tables.people import Invitation, RefreshToken
from core.views import PersonView

LIFE = timedelta(days=30)


class Registry:
    """Adds people and signs them in."""

    def __init__(self, database: Database, rooms: LocalRooms, audit: AuditTrail) -> None:
        self.database, self.rooms, self.audit = database, rooms, audit

    async def add(self, email: str, role: Role = Role.MEMBER) -> PersonView:
        async with change(self.database, self.rooms) as work:
            return await people.create_person(work, self.audit, email=email, name=email, password_hash="x", role=role)

    async def sign_in(self, person: PersonView) -> Opened:
        async with self.database.writing() as session:
            member = await people.first_membership(session, person.id, person.workspace_id)
            assert member is not None
            return await sessions.begin(session, member, LIFE, "")

    async def principal(self, opened: Opened) -> Principal:
        async with self.database.reading() as session:
            return await people.principal_of(session, opened.session_id, opened.user_id, opened.workspace_id)

    async def signed_in(self, email: str, role: Role) -> Principal:
        return await self.principal(await self.sign_in(await self.add(email, role)))


@pytest.fixture
def registry(database: Database, rooms: LocalRooms, audit: AuditTrail) -> Registry:
    return Registry(database, rooms, audit)


class TestPeople:
    async def test_the_first_makes_the_workspace_and_the_next_joins_it(self, registry):
        first = await registry.add("ana@x.test", Role.OWNER)
        second = await registry.add("BO@x.test ")

        assert second.workspace_id == first.workspace_id
        assert second.email == "bo@x.test"

    async def test_an_address_is_taken_once(self, registry):
        await registry.add("ana@x.test")
        with pytest.raises(Conflict):
            await registry.add("Ana@X.test")

    async def test_two_first_owners_cannot_be(self, registry):
        async def own(email: str) -> PersonView:
            async with change(registry.database, registry.rooms) as work:
                return await people.add_owner(
                    work, registry.audit, email=email, name="Me", password_hash="x", workspace="Home"
                )

        answers = await asyncio.gather(*(own(f"p{n}@x.test") for n in range(4)), return_exceptions=True)

        assert [type(one) for one in answers].count(Conflict) == 3

    async def test_set_up_is_closed_once_anybody_is_here(self, registry):
        await registry.add("bo@x.test", Role.MEMBER)
        async with registry.database.writing() as session:
            with pytest.raises(Conflict):
                await people.add_owner(
                    Work(session), registry.audit, email="ana@x.test", name="Me", password_hash="x", workspace="Other"
                )

    async def test_the_role_is_the_one_of_now(self, registry):
        owner = await registry.signed_in("ana@x.test", Role.OWNER)
        opened = await registry.sign_in(await registry.add("bo@x.test"))
        async with change(registry.database, registry.rooms) as work:
            await people.change_role(work, registry.audit, owner, opened.user_id, Role.APPROVER)

        assert (await registry.principal(opened)).role is Role.APPROVER

    async def test_the_last_owner_stays(self, registry):
        owner = await registry.signed_in("ana@x.test", Role.OWNER)
        async with change(registry.database, registry.rooms) as work:
            with pytest.raises(Conflict):
                await people.change_role(work, registry.audit, owner, owner.user_id, Role.MEMBER)
            with pytest.raises(Conflict):
                await people.disable(work, registry.audit, owner, owner.user_id)

    async def test_an_admin_neither_makes_nor_unmakes_owners(self, registry):
        owner = await registry.signed_in("ana@x.test", Role.OWNER)
        admin = await registry.signed_in("bo@x.test", Role.ADMIN)
        async with change(registry.database, registry.rooms) as work:
            with pytest.raises(NotAllowed):
                await people.change_role(work, registry.audit, admin, admin.user_id, Role.OWNER)
            with pytest.raises(NotAllowed):
                await people.disable(work, registry.audit, admin, owner.user_id)
            with pytest.raises(NotAllowed):
                await invitations.create(work, registry.audit, admin, "zoe@x.test", Role.OWNER)

    async def test_disabling_ends_every_session(self, registry):
        owner = await registry.signed_in("ana@x.test", Role.OWNER)
        bo = await registry.add("bo@x.test")
        opened = [await registry.sign_in(bo) for _ in range(2)]
        async with change(registry.database, registry.rooms) as work:
            _, ended = await people.disable(work, registry.audit, owner, bo.id)

        assert set(ended) == {one.session_id for one in opened}
        for one in opened:
            with pytest.raises(NotSignedIn):
                await registry.principal(one)

    async def test_a_page_is_followed_by_the_rest(self, registry):
        owner = await registry.signed_in("p0@x.test", Role.OWNER)
        everybody = {owner.user_id} | {(await registry.add(f"p{n}@x.test")).id for n in range(1, 5)}
        seen: list[str] = []
        cursor: str | None = None
        async with registry.database.reading() as session:
            while True:
                items, cursor, total = await people.page(session, owner, limit=2, cursor=cursor)
                seen += [one.id for one in items]
                if cursor is None:
                    break

        assert total == 5
        assert set(seen) == everybody
        assert len(seen) == 5

    async def test_everything_is_in_an_intact_chain(self, registry):
        owner = await registry.signed_in("ana@x.test", Role.OWNER)
        await registry.add("bo@x.test")
        async with registry.database.reading() as session:
            verdict = await registry.audit.verify(session, owner.workspace_id)

        assert (verdict.intact, verdict.rows) == (True, 2)


class TestSessions:
    async def rotate(self, registry: Registry, token: str):
        async with registry.database.writing() as session:
            return await sessions.rotate(session, token, LIFE)

    @pytest.fixture
    async def opened(self, registry: Registry) -> Opened:
        return await registry.sign_in(await registry.add("ana@x.test", Role.OWNER))

    async def test_tokens_are_stored_as_hashes_only(self, registry, opened):
        async with registry.database.reading() as session:
            assert await session.get(RefreshToken, opened.refresh_token) is None

    async def test_a_used_token_revokes_its_family(self, registry, opened):
        following = await self.rotate(registry, opened.refresh_token)

        assert isinstance(following, Opened)
        assert isinstance(await self.rotate(registry, opened.refresh_token), Reused)
        assert await self.rotate(registry, following.refresh_token) is None
        with pytest.raises(NotSignedIn):
            await registry.principal(opened)

    async def test_at_the_same_moment_one_gets_the_next(self, registry, opened):
        answers = await asyncio.gather(*(self.rotate(registry, opened.refresh_token) for _ in range(4)))

        assert [isinstance(one, Opened) for one in answers].count(True) == 1

    async def test_an_old_token_is_worth_nothing(self, registry, opened):
        async with registry.database.writing() as session:
            following = await sessions.rotate(session, opened.refresh_token, timedelta(seconds=-1))
        assert isinstance(following, Opened)

        assert await self.rotate(registry, following.refresh_token) is None
        assert await self.rotate(registry, "made up") is None


class TestInvitations:
    @pytest.fixture
    async def owner(self, registry: Registry) -> Principal:
        return await registry.signed_in("ana@x.test", Role.OWNER)

    @pytest.fixture
    async def invited(self, registry: Registry, owner: Principal):
        async with change(registry.database, registry.rooms) as work:
            return await invitations.create(work, registry.audit, owner, "Zoe@x.test", Role.MEMBER)

    async def test_the_token_finds_it(self, registry, invited):
        async with registry.database.reading() as session:
            assert (await invitations.find(session, invited[1])).email == "zoe@x.test"

    @pytest.mark.parametrize("end", ["accepted_at", "revoked_at", "expires_at"])
    async def test_one_that_is_over_is_not_found(self, registry, invited, end):
        async with registry.database.writing() as session:
            row = await session.get_one(Invitation, invited[0].id)
            setattr(row, end, now())
        async with registry.database.reading() as session:
            with pytest.raises(NotFound):
                await invitations.find(session, invited[1])

    async def test_withdrawing_twice_is_withdrawing_once(self, registry, owner, invited):
        async with change(registry.database, registry.rooms) as work:
            first = await invitations.revoke(work, registry.audit, owner, invited[0].id)
            second = await invitations.revoke(work, registry.audit, owner, invited[0].id)

        assert first == second
        assert first.revoked_at is not None
