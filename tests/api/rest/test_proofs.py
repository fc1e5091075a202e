"""Proofs of who somebody is: how long they count, what is enough, codes that come twice, codes that are guessed."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from core.permissions import Role, Scope
from core.store import api_tokens
from core.store.work import change
from core.tables.consent import Approval
from core.tables.identity import Totp
from core.tables.records import AuditRow
from tests.api.rest.house import API
from tests.api.rest.signing import PASSWORD, Known, known, sign_in, signed_in


@pytest.fixture
async def cleo(house, workspace_id) -> Known:
    return await known(house, workspace_id, "cleo@x.test", Role.OWNER)


async def audited(house) -> list[tuple[str, Any]]:
    async with house.database.reading() as session:
        rows = (await session.execute(select(AuditRow).order_by(AuditRow.number))).scalars()
        return [(row.kind, row.body.get("by")) for row in rows]


class TestFreshness:
    async def test_a_sign_in_is_fresh_for_a_while(self, cleo):
        view = await cleo.view()
        await cleo.grow_stale()
        stale = await cleo.view()

        assert (view["assurance"], view["proved_by"]) == ("L3", "password")
        assert (stale["assurance"], stale["fresh_until"]) == ("L2", None)

    async def test_the_password_renews_it_and_the_trail_tells(self, house, cleo):
        await cleo.grow_stale()
        answer = await cleo.prove("password", password=PASSWORD)

        assert (answer.status_code, answer.json()["assurance"]) == (200, "L3")
        assert ("session.proved", "password") in await audited(house)

    async def test_a_wrong_password_proves_nothing(self, cleo):
        await cleo.grow_stale()
        answer = await cleo.prove("password", password="a guess")

        assert (answer.status_code, answer.json()["code"]) == (403, "proof_failed")
        assert (await cleo.view())["assurance"] == "L2"

    async def test_a_refresh_does_not_renew_it(self, house, nobody, cleo):
        tokens = (await sign_in(nobody, cleo.email)).json()
        again = await signed_in(house, tokens)
        await again.grow_stale()
        fresh = (await nobody.post(f"{API}/auth/refresh", json={"refresh_token": tokens["refresh_token"]})).json()
        renewed = await signed_in(house, fresh)

        assert renewed.session_id == again.session_id
        assert (await renewed.view())["assurance"] == "L2"

    async def test_guesses_are_few(self, cleo):
        answers = [(await cleo.prove("password", password=f"guess {n}")).status_code for n in range(15)]

        assert answers.count(403) <= 10
        assert answers[-1] == 429

    async def test_a_program_proves_nothing(self, house, cleo):
        who = await house.tokens.authenticate(house.database, cleo.http.headers["authorization"].split()[1])
        async with change(house.database, house.rooms) as work:
            _, secret = await api_tokens.create(work, house_audit(house), who, name="p", days=1, scopes=set(Scope))
        program = await house.http(secret)
        answer = await program.post(f"{API}/auth/prove", json={"method": "password", "password": PASSWORD})
        view = (await program.get(f"{API}/auth/session")).json()

        assert answer.status_code == 403
        assert (view["assurance"], view["proved_at"]) == ("L1", None)

    async def test_nobody_proves_nothing(self, nobody):
        assert (await nobody.get(f"{API}/auth/session")).status_code == 401
        assert (await nobody.post(f"{API}/auth/prove", json={"method": "totp", "code": "1"})).status_code == 401


def house_audit(house):
    return house.rest.state.context.audit


class TestDecision:
    async def test_one_that_asks_for_a_fresh_proof_gets_it_and_is_taken(self, house, cleo, ana, turn_id):
        approval = await house.approval(ana, turn_id)
        async with house.database.writing() as session:
            row = await session.get_one(Approval, approval.id)
            row.plan = row.plan | {"assurance": "L3"}
        house.workflows.answer = "accepted"
        await cleo.grow_stale()
        body = {"verdict": "approve", "digest": approval.digest, "decision_id": "one"}
        path = f"/approvals/{approval.id}/decision"
        refused = await cleo.ask("POST", path, json=body)
        await cleo.prove("password", password=PASSWORD)
        taken = await cleo.ask("POST", path, json=body | {"decision_id": "two"})

        assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")
        assert taken.status_code == 200, taken.text


class TestAuthenticatorApp:
    async def test_from_now_on_the_password_is_not_enough(self, cleo, nobody):
        codes = await cleo.add_totp()
        view = await cleo.view()
        alone = await cleo.prove("password", password=PASSWORD)
        door = (await sign_in(nobody, cleo.email)).json()

        assert len(set(codes)) == 10
        assert (view["assurance"], view["proved_by"], view["factors"]["totp"]) == ("L3", "totp", True)
        assert (alone.status_code, alone.json()["code"]) == (403, "second_factor_required")
        assert (door["code"], door["methods"]) == ("second_factor_required", ["totp"])
        assert "access_token" not in door

    async def test_nor_for_who_joins_another_workspace(self, house, cleo, eve, nobody):
        await cleo.add_totp()
        token = (await eve.ask("POST", "/invitations", json={"email": cleo.email, "role": "viewer"})).json()["token"]
        body = {"token": token, "name": "Cleo", "password": PASSWORD}
        joined = await nobody.post(f"{API}/invitations/accept", json=body)
        step = {"ceremony_id": joined.json()["ceremony_id"], "proof": {"method": "totp", "code": cleo.code()}}
        ended = await nobody.post(f"{API}/auth/second-factor", json=step)

        assert (joined.status_code, joined.json()["code"]) == (403, "second_factor_required")
        assert ended.json()["user"]["workspace_id"] == eve.principal.workspace_id

    async def test_sessions_of_before_are_not_fresh_any_more(self, house, cleo, nobody):
        other = await signed_in(house, (await sign_in(nobody, cleo.email)).json())
        before = (await other.view())["assurance"]
        await cleo.add_totp()

        assert (before, (await other.view())["assurance"]) == ("L3", "L2")

    async def test_the_second_step_signs_in_once(self, house, cleo, nobody):
        await cleo.add_totp()
        step = (await sign_in(nobody, cleo.email)).json()["ceremony_id"]
        body = {"ceremony_id": step, "proof": {"method": "totp", "code": cleo.code()}}
        first = await nobody.post(f"{API}/auth/second-factor", json=body)
        again = body | {"proof": {"method": "totp", "code": cleo.code(1)}}
        second = await nobody.post(f"{API}/auth/second-factor", json=again)

        assert (await (await signed_in(house, first.json())).view())["proved_by"] == "totp"
        assert second.status_code == 403

    @pytest.mark.parametrize(
        "code",
        [
            "",
            "0",
            "12345",
            "1234567",
            "abcdef",
            "12 34 5",
            "".join(chr(0xFF10 + n) for n in range(6)),
            "".join(chr(0x660 + n) for n in range(6)),
            "-12345",
            "1e5000",
            "000000\u0000",
        ],
    )
    async def test_what_is_no_code_is_refused(self, cleo, code):
        await cleo.add_totp()
        answer = await cleo.prove("totp", code=code)

        assert answer.status_code in {403, 422}

    async def test_a_code_counts_once_and_older_ones_no_more(self, cleo):
        await cleo.add_totp()
        first = await cleo.prove("totp", code=cleo.code())
        again = await cleo.prove("totp", code=cleo.code())
        older = await cleo.prove("totp", code=cleo.code(-1))

        assert [first.status_code, again.status_code, older.status_code] == [200, 403, 403]

    async def test_used_at_the_same_moment_it_counts_once(self, cleo):
        await cleo.add_totp()
        code = cleo.code()
        answers = await asyncio.gather(*(cleo.prove("totp", code=code) for _ in range(4)))

        assert [answer.status_code for answer in answers].count(200) == 1

    @pytest.mark.parametrize(("steps", "counts"), [(-3, False), (1, True), (3, False)])
    async def test_a_clock_may_be_one_step_wrong(self, cleo, steps, counts):
        await cleo.add_totp()
        answer = await cleo.prove("totp", code=cleo.code(steps))

        assert (answer.status_code == 200) is counts

    async def test_guesses_lock_even_the_right_code_out(self, cleo):
        await cleo.add_totp()
        guesses = [(await cleo.prove("totp", code=f"{n:06}")).status_code for n in range(6)]
        right = await cleo.prove("totp", code=cleo.code())

        assert guesses == [403] * 5 + [429]
        assert right.status_code == 429

    async def test_a_recovery_code_counts_once(self, cleo):
        first, second, *_ = await cleo.add_totp()
        used = await cleo.prove("totp", code=first.lower().replace("-", " "))
        again = await cleo.prove("totp", code=first)

        assert (used.json()["proved_by"], used.json()["factors"]["recovery_codes"]) == ("recovery", 9)
        assert again.status_code == 403
        assert (await cleo.prove("totp", code=second)).status_code == 200

    async def test_new_recovery_codes_end_the_old(self, cleo):
        old = await cleo.add_totp()
        new = (await cleo.ask("POST", "/auth/totp/recovery-codes")).json()["codes"]

        assert (await cleo.prove("totp", code=old[0])).status_code == 403
        assert (await cleo.prove("totp", code=new[0])).status_code == 200

    async def test_it_counts_only_once_a_code_confirmed_it(self, cleo):
        await cleo.ask("POST", "/auth/totp")
        wrong = await cleo.ask("POST", "/auth/totp/confirm", json={"code": "000000"})

        assert wrong.json()["code"] == "proof_failed"
        assert (await cleo.view())["factors"]["totp"] is False

    async def test_adding_and_removing_need_a_fresh_proof(self, cleo):
        await cleo.grow_stale()
        added = await cleo.ask("POST", "/auth/totp")
        await cleo.prove("password", password=PASSWORD)
        await cleo.add_totp()
        await cleo.grow_stale()
        removed = await cleo.ask("DELETE", "/auth/totp")
        await cleo.prove("totp", code=cleo.code())

        assert (added.json()["code"], removed.json()["code"]) == ("step_up_required", "step_up_required")
        assert removed.json()["methods"] == ["totp"]
        assert (await cleo.ask("DELETE", "/auth/totp")).status_code == 204
        assert (await cleo.prove("password", password=PASSWORD)).status_code == 200

    async def test_a_second_app_is_refused(self, cleo):
        await cleo.add_totp()

        assert (await cleo.ask("POST", "/auth/totp")).status_code == 409

    async def test_anothers_code_and_secret_are_worth_nothing(self, house, workspace_id, cleo):
        dora = await known(house, workspace_id, "dora@x.test")
        await cleo.add_totp()
        await dora.add_totp()
        async with house.database.writing() as session:
            mine, hers = await session.get_one(Totp, cleo.user_id), await session.get_one(Totp, dora.user_id)
            hers.ciphertext, hers.key_id = mine.ciphertext, mine.key_id
        swapped = await dora.prove("totp", code=cleo.code())

        assert (await cleo.prove("totp", code=dora.code())).status_code == 403
        assert (swapped.status_code, swapped.json()["code"]) == (500, "unsealable")

    async def test_the_secret_is_nowhere_in_plain(self, house, cleo):
        codes = await cleo.add_totp()
        async with house.database.reading() as session:
            raw = await session.connection()
            dump = "\n".join([str(row) for row in (await raw.exec_driver_sql("select * from totps")).all()])
            dump += "\n".join([str(row) for row in (await raw.exec_driver_sql("select * from recovery_codes")).all()])

        assert cleo.secret not in dump
        assert codes[0].replace("-", "") not in dump
