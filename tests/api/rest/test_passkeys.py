"""Passkeys: registered after a fresh proof, good for their person, their origin and one answer each."""

from typing import Any

import pytest
from sqlalchemy import select

from core.permissions import Role
from core.settings import Settings
from core.tables.identity import Passkey
from tests.api.rest.house import API
from tests.api.rest.signing import PASSWORD, Known, known, sign_in, signed_in
from tests.doubles.authenticator import Authenticator

ORIGIN = "https://assent.test"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path, public_url=ORIGIN)


@pytest.fixture
async def cleo(house, workspace_id) -> Known:
    return await known(house, workspace_id, "cleo@x.test", Role.OWNER)


@pytest.fixture
async def dora(house, workspace_id) -> Known:
    return await known(house, workspace_id, "dora@x.test")


@pytest.fixture
async def key(cleo) -> Authenticator:
    """Cleo's passkey."""
    made = Authenticator()
    answer = await register(cleo, made)
    assert answer.status_code == 201, answer.text
    return made


async def register(who: Known, key: Authenticator, origin: str = ORIGIN):
    begun = (await who.ask("POST", "/auth/passkeys/options")).json()
    body = {"ceremony_id": begun["ceremony_id"], "name": "Phone", "credential": key.create(begun["options"], origin)}
    return await who.ask("POST", "/auth/passkeys", json=body)


async def answer_of(http, key: Authenticator, origin: str = ORIGIN, **asked: Any) -> dict[str, Any]:
    begun = (await http.post(f"{API}/auth/passkey-options", json=asked)).json()
    return {
        "method": "passkey",
        "ceremony_id": begun["ceremony_id"],
        "credential": key.get(begun["options"], origin),
    }


async def prove(who: Known, proof: dict[str, Any]):
    return await who.ask("POST", "/auth/prove", json=proof)


class TestRegistration:
    async def test_it_is_listed_and_the_password_is_not_enough_any_more(self, cleo, key, nobody):
        listed = (await cleo.ask("GET", "/auth/passkeys")).json()
        door = (await sign_in(nobody, cleo.email)).json()

        assert [one["name"] for one in listed["items"]] == ["Phone"]
        assert (door["code"], door["methods"]) == ("second_factor_required", ["passkey"])
        assert (await cleo.prove("password", password=PASSWORD)).json()["code"] == "second_factor_required"

    async def test_it_needs_a_fresh_proof(self, cleo):
        await cleo.grow_stale()

        assert (await cleo.ask("POST", "/auth/passkeys/options")).json()["code"] == "step_up_required"

    async def test_an_answer_from_another_origin_is_refused(self, cleo):
        assert (await register(cleo, Authenticator(), "https://assent.test.evil.test")).status_code == 403

    async def test_an_authenticator_that_verified_nobody_is_refused(self, cleo):
        assert (await register(cleo, Authenticator(verifies=False))).status_code == 403

    async def test_a_challenge_counts_once_whatever_came_of_it(self, cleo):
        begun = (await cleo.ask("POST", "/auth/passkeys/options")).json()
        body = {"ceremony_id": begun["ceremony_id"], "credential": {"id": "nothing"}}
        wrong = await cleo.ask("POST", "/auth/passkeys", json=body)
        body["credential"] = Authenticator().create(begun["options"], ORIGIN)
        right = await cleo.ask("POST", "/auth/passkeys", json=body)

        assert (wrong.status_code, right.status_code) == (403, 403)

    async def test_anothers_registration_cannot_be_ended(self, cleo, dora):
        begun = (await cleo.ask("POST", "/auth/passkeys/options")).json()
        body = {"ceremony_id": begun["ceremony_id"], "credential": Authenticator().create(begun["options"], ORIGIN)}

        assert (await dora.ask("POST", "/auth/passkeys", json=body)).status_code == 403

    async def test_one_passkey_is_one_persons(self, cleo, dora, key):
        assert (await register(dora, key)).status_code == 409

    @pytest.mark.parametrize("credential", [{}, {"id": 1}, {"id": "a", "rawId": "a", "type": "x", "response": []}])
    async def test_nonsense_is_refused(self, cleo, credential):
        begun = (await cleo.ask("POST", "/auth/passkeys/options")).json()
        body = {"ceremony_id": begun["ceremony_id"], "credential": credential}

        assert (await cleo.ask("POST", "/auth/passkeys", json=body)).status_code == 403


class TestProof:
    async def test_it_renews_the_session(self, cleo, key):
        await cleo.grow_stale()
        answer = (await prove(cleo, await answer_of(cleo.http, key))).json()

        assert (answer["assurance"], answer["proved_by"]) == ("L3", "passkey")

    async def test_an_answer_counts_once(self, cleo, key):
        proof = await answer_of(cleo.http, key)
        first, second = await prove(cleo, proof), await prove(cleo, proof)

        assert (first.status_code, second.status_code) == (200, 403)

    async def test_an_old_answer_to_a_new_challenge_is_refused(self, cleo, key):
        old, new = await answer_of(cleo.http, key), await answer_of(cleo.http, key)

        assert (await prove(cleo, new | {"credential": old["credential"]})).json()["code"] == "proof_failed"

    async def test_another_persons_passkey_proves_nothing(self, cleo, dora, key):
        await register(dora, hers := Authenticator())
        proof = await answer_of(cleo.http, hers)

        assert (await prove(cleo, proof)).json()["code"] == "proof_failed"

    async def test_anothers_ceremony_proves_nothing(self, cleo, dora, key):
        proof = await answer_of(cleo.http, key)

        assert (await prove(dora, proof)).status_code == 403

    async def test_another_session_of_the_same_person_proves_nothing_by_it(self, house, cleo, key, nobody):
        second = await enter(house, nobody, cleo, key)
        proof = await answer_of(cleo.http, key)

        assert (await prove(second, proof)).status_code == 403

    async def test_a_copy_that_counts_behind_is_refused(self, house, cleo, key):
        key.count = 7
        assert (await prove(cleo, await answer_of(cleo.http, key))).status_code == 200
        key.count = 3

        assert (await prove(cleo, await answer_of(cleo.http, key))).status_code == 403

    @pytest.mark.parametrize("origin", ["http://assent.test", "https://evil.test", "https://assent.test:444"])
    async def test_another_origin_is_refused(self, cleo, key, origin):
        assert (await prove(cleo, await answer_of(cleo.http, key, origin))).status_code == 403

    async def test_one_that_verified_nobody_is_refused(self, cleo, key):
        key.verifies = False

        assert (await prove(cleo, await answer_of(cleo.http, key))).status_code == 403

    async def test_a_forged_signature_is_refused(self, cleo, key):
        forged = Authenticator(id=key.id)

        assert (await prove(cleo, await answer_of(cleo.http, forged))).status_code == 403


async def enter(house, http, who: Known, key: Authenticator) -> Known:
    """Sign in by password and passkey."""
    step = (await sign_in(http, who.email)).json()["ceremony_id"]
    proof = await answer_of(http, key, ceremony_id=step)
    answer = await http.post(f"{API}/auth/second-factor", json={"ceremony_id": step, "proof": proof})
    assert answer.status_code == 200, answer.text
    return await signed_in(house, answer.json())


class TestSignIn:
    async def test_as_the_second_step(self, house, cleo, key, nobody):
        again = await enter(house, nobody, cleo, key)

        assert (again.user_id, (await again.view())["proved_by"]) == (cleo.user_id, "passkey")

    async def test_anothers_passkey_does_not_end_it(self, cleo, dora, key, nobody):
        await register(dora, hers := Authenticator())
        step = (await sign_in(nobody, cleo.email)).json()["ceremony_id"]
        proof = await answer_of(nobody, hers, ceremony_id=step)
        answer = await nobody.post(f"{API}/auth/second-factor", json={"ceremony_id": step, "proof": proof})

        assert (answer.status_code, answer.json()["code"]) == (403, "proof_failed")

    async def test_alone(self, house, cleo, key, nobody):
        begun = (await nobody.post(f"{API}/auth/passkey-options", json={})).json()
        credential = key.get(begun["options"], ORIGIN, cleo.user_id)
        proof = {"method": "passkey", "ceremony_id": begun["ceremony_id"], "credential": credential}
        answer = await nobody.post(f"{API}/auth/passkey-sign-in", json={"proof": proof})

        assert begun["options"]["allowCredentials"] == []
        assert (await signed_in(house, answer.json())).user_id == cleo.user_id

    async def test_alone_but_for_somebody_else_it_is_refused(self, cleo, dora, key, nobody):
        begun = (await nobody.post(f"{API}/auth/passkey-options", json={})).json()
        credential = key.get(begun["options"], ORIGIN, dora.user_id)
        proof = {"method": "passkey", "ceremony_id": begun["ceremony_id"], "credential": credential}

        assert (await nobody.post(f"{API}/auth/passkey-sign-in", json={"proof": proof})).status_code == 403


class TestOwn:
    async def test_it_is_renamed_and_removed(self, cleo, key):
        one = (await cleo.ask("GET", "/auth/passkeys")).json()["items"][0]
        renamed = await cleo.ask("PATCH", f"/auth/passkeys/{one['id']}", json={"name": "Old phone"})
        removed = await cleo.ask("DELETE", f"/auth/passkeys/{one['id']}")

        assert (renamed.json()["name"], removed.status_code) == ("Old phone", 204)
        assert (await cleo.ask("GET", "/auth/passkeys")).json()["total"] == 0

    async def test_removing_needs_a_fresh_proof(self, cleo, key):
        one = (await cleo.ask("GET", "/auth/passkeys")).json()["items"][0]
        await cleo.grow_stale()

        assert (await cleo.ask("DELETE", f"/auth/passkeys/{one['id']}")).json()["code"] == "step_up_required"

    async def test_anothers_is_not_there(self, house, cleo, dora, eve, key):
        async with house.database.reading() as session:
            one = (await session.execute(select(Passkey))).scalar_one()
        paths = [("PATCH", {"json": {"name": "Mine"}}), ("DELETE", {})]
        answers = [await dora.ask(method, f"/auth/passkeys/{one.id}", **more) for method, more in paths]

        assert [answer.status_code for answer in answers] == [404, 404]
        assert (await dora.ask("GET", "/auth/passkeys")).json()["total"] == 0
        assert (await eve.ask("GET", "/auth/passkeys")).json()["total"] == 0
