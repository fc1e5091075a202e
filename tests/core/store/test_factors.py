"""What people prove themselves with, in both databases: used once, kept sealed, never the last one lost."""

import asyncio
from datetime import timedelta

import pytest

from core.clock import now
from core.errors import Conflict, NotFound, ProofFailed
from core.keys import KeyRing
from core.sealing import Sealer
from core.store import ceremonies, factors, oidc_accounts, passkeys, totps
from core.store.audit import AuditTrail
from core.store.passkeys import NewPasskey
from core.store.work import Work
from core.tables.identity import Ceremony, Totp
from core.tables.people import User
from tests.world import World

KEYS = {"k1": b"o" * 32, "k2": b"n" * 32}


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(KeyRing(KEYS))


async def begin(world: World) -> str:
    async with world.database.writing() as session:
        return await ceremonies.begin(session, ceremonies.ASSERTION, challenge="c")


async def take(world: World, secret: str, kind: str = ceremonies.ASSERTION) -> bool:
    try:
        async with world.database.writing() as session:
            await ceremonies.take(session, kind, secret)
    except ProofFailed:
        return False
    return True


class TestCeremonies:
    async def test_one_of_many_at_once_gets_it(self, world):
        secret = await begin(world)
        taken = await asyncio.gather(*(take(world, secret) for _ in range(5)))

        assert sorted(taken) == [False, False, False, False, True]

    async def test_it_is_of_one_kind_and_for_a_while(self, world):
        first, second = await begin(world), await begin(world)
        for row in await world.all(Ceremony):
            await world.alter(Ceremony, row.id, expires_at=now() + timedelta(minutes=1))
        other_kind = await take(world, first, ceremonies.REGISTRATION)
        for row in await world.all(Ceremony):
            await world.alter(Ceremony, row.id, expires_at=now() - timedelta(seconds=1))

        assert (other_kind, await take(world, second)) == (False, False)

    async def test_the_secret_is_not_kept_and_old_ones_are_swept(self, world):
        secret = await begin(world)
        (row,) = await world.all(Ceremony)
        await world.alter(Ceremony, row.id, expires_at=now() - timedelta(hours=2))
        await begin(world)

        assert secret not in str(row)
        assert row.id not in {one.id for one in await world.all(Ceremony)}


class TestTotps:
    async def test_an_older_keys_secret_is_sealed_anew_when_it_is_used(self, world, sealer):
        who = await world.person()
        async with world.database.writing() as session:
            await totps.enrol(session, Sealer(KeyRing({"k1": KEYS["k1"]})), who.user_id, "SECRET")
        async with world.database.writing() as session:
            found = await totps.secret_of(session, sealer, who.user_id, confirmed=False)
        row = await world.get(Totp, who.user_id)

        assert found is not None
        assert (found[1], row.key_id) == ("SECRET", "k2")

    async def test_a_recovery_code_is_one_persons_and_works_once(self, world):
        ana, ben = await world.person(), await world.person()
        async with world.database.writing() as session:
            await totps.replace_recovery_codes(session, ana.user_id, ["AAAA", "BBBB"])
        async with world.database.writing() as session:
            tries = [await totps.use_recovery_code(session, one.user_id, "AAAA") for one in (ben, ana, ana)]

        assert tries == [False, True, False]


class TestWaysIn:
    async def test_all_of_them_are_counted_and_forgotten_together(self, world, audit, sealer):
        who = await world.person()
        async with world.database.writing() as session:
            await totps.enrol(session, sealer, who.user_id, "SECRET")
            (await session.get_one(Totp, who.user_id)).confirmed_at = now()
            await totps.replace_recovery_codes(session, who.user_id, ["AAAA"])
            await passkeys.add(session, who, "Phone", NewPasskey(credential_id="c1", public_key=b"k", sign_count=0))
            has = await factors.of_user(session, who.user_id)
        async with world.database.writing() as session:
            await factors.reset(Work(session), audit, who.user_id, "console")
            after = await factors.of_user(session, who.user_id)

        assert (has.totp, has.passkeys, has.recovery_codes, has.second) == (True, 1, 1, ("totp", "passkey"))
        assert after.second == ()

    async def test_the_last_one_stays(self, world, audit):
        who = await world.person()
        async with world.database.writing() as session:
            account = await link(session, audit, who, "s1")
        with pytest.raises(Conflict):
            async with world.database.writing() as session:
                await oidc_accounts.unlink(Work(session), audit, who, account.id)
        await world.alter(User, who.user_id, password_hash="some hash")
        async with world.database.writing() as session:
            await oidc_accounts.unlink(Work(session), audit, who, account.id)
            assert (await factors.of_user(session, who.user_id)).oidc == 0

    async def test_a_subject_is_one_persons(self, world, audit):
        ana, ben = await world.person(), await world.person()
        async with world.database.writing() as session:
            first = await link(session, audit, ana, "s1")
            again = await link(session, audit, ana, "s1")
        with pytest.raises(Conflict):
            async with world.database.writing() as session:
                await link(session, audit, ben, "s1")
        with pytest.raises(NotFound):
            async with world.database.writing() as session:
                await oidc_accounts.unlink(Work(session), audit, ben, first.id)

        assert again == first


async def link(session, audit: AuditTrail, who, subject: str):
    issuer = "https://login.test"
    return await oidc_accounts.link(Work(session), audit, who.user_id, who.workspace_id, issuer, subject, None)
