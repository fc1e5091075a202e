"""The first visit, signing in, staying signed in, signing out."""

import asyncio
from typing import Any

import pytest

from core.keys import setup_code
from tests.api.rest.house import API

PASSWORD = "a sentence only Ana knows"
ANA = {"email": "ana@example.com", "name": "Ana", "password": PASSWORD, "workspace": "Bakery"}


@pytest.fixture
async def owned(house, nobody) -> dict[str, Any]:
    """A server whose owner came by the first visit."""
    answer = await nobody.post(f"{API}/setup", json=ANA | {"code": setup_code(house.ring)})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def sign_in_body(**other: str) -> dict[str, str]:
    return {"email": ANA["email"], "password": PASSWORD} | other


class TestFirstVisit:
    async def test_the_code_makes_the_owner_once(self, house, nobody, owned):
        again = await nobody.post(f"{API}/setup", json=ANA | {"code": setup_code(house.ring), "email": "b@x.test"})

        assert owned["user"]["role"] == "owner"
        assert (await nobody.get(f"{API}/setup")).json() == {"needed": False}
        assert again.status_code == 409

    async def test_a_wrong_code_makes_nobody(self, nobody):
        answer = await nobody.post(f"{API}/setup", json=ANA | {"code": "AAAA-AAAA"})

        assert answer.status_code == 403
        assert (await nobody.get(f"{API}/setup")).json() == {"needed": True}

    async def test_codes_cannot_be_guessed_at_will(self, nobody):
        answers = [(await nobody.post(f"{API}/setup", json=ANA | {"code": f"{n}"})).status_code for n in range(40)]

        assert answers.count(403) == 30
        assert answers.count(429) == 10

    async def test_two_at_once_make_one_owner(self, house, nobody):
        body = ANA | {"code": setup_code(house.ring)}
        answers = await asyncio.gather(
            *(nobody.post(f"{API}/setup", json=body | {"email": f"p{n}@x.test"}) for n in range(4))
        )

        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


class TestSignIn:
    async def test_it_gives_tokens_and_the_person(self, nobody, owned):
        answer = (await nobody.post(f"{API}/auth/sign-in", json=sign_in_body(email=" ANA@example.com "))).json()
        me = await nobody.get(f"{API}/me", headers={"Authorization": f"Bearer {answer['access_token']}"})

        assert answer["expires_in"] == 900
        assert answer["user"]["name"] == "Ana"
        assert me.json() == answer["user"]

    async def test_unknown_and_wrong_are_answered_alike(self, nobody, owned):
        unknown = await nobody.post(f"{API}/auth/sign-in", json=sign_in_body(email="nobody@example.com"))
        wrong = await nobody.post(f"{API}/auth/sign-in", json=sign_in_body(password="a guess"))

        assert unknown.status_code == wrong.status_code == 401
        assert unknown.content == wrong.content

    async def test_guesses_are_few_and_the_owner_still_gets_in_from_where_she_was(self, house, owned):
        home, abroad = await house.http(address="10.0.0.1"), await house.http(address="10.9.9.9")
        assert (await home.post(f"{API}/auth/sign-in", json=sign_in_body())).status_code == 200
        guesses = [
            (await abroad.post(f"{API}/auth/sign-in", json=sign_in_body(password=f"guess {n}"))) for n in range(60)
        ]

        assert [one.status_code for one in guesses].count(401) == 5
        assert guesses[-1].status_code == 429
        assert int(guesses[-1].headers["retry-after"]) >= 1
        assert (await home.post(f"{API}/auth/sign-in", json=sign_in_body())).status_code == 200

    async def test_right_passwords_use_nothing_up(self, nobody, owned):
        answers = [(await nobody.post(f"{API}/auth/sign-in", json=sign_in_body())).status_code for _ in range(8)]

        assert answers == [200] * 8

    async def test_a_long_password_is_refused_before_it_is_hashed(self, nobody, owned):
        answer = await nobody.post(f"{API}/auth/sign-in", json=sign_in_body(password="x" * 257))

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["where"] == "body.password"


class TestRefresh:
    async def refresh(self, nobody, token: str):
        return await nobody.post(f"{API}/auth/refresh", json={"refresh_token": token})

    async def test_each_token_gets_the_next(self, nobody, owned):
        first = (await self.refresh(nobody, owned["refresh_token"])).json()
        second = await self.refresh(nobody, first["refresh_token"])

        assert second.status_code == 200
        assert second.json()["refresh_token"] not in {owned["refresh_token"], first["refresh_token"]}

    async def test_a_token_that_comes_twice_ends_the_whole_family(self, nobody, owned):
        fresh = (await self.refresh(nobody, owned["refresh_token"])).json()
        replayed = await self.refresh(nobody, owned["refresh_token"])
        heir = await self.refresh(nobody, fresh["refresh_token"])
        me = await nobody.get(f"{API}/me", headers={"Authorization": f"Bearer {fresh['access_token']}"})

        assert [replayed.status_code, heir.status_code, me.status_code] == [401, 401, 401]

    async def test_another_session_lives_on(self, nobody, owned):
        other = (await nobody.post(f"{API}/auth/sign-in", json=sign_in_body())).json()
        await self.refresh(nobody, owned["refresh_token"])
        await self.refresh(nobody, owned["refresh_token"])

        assert (await self.refresh(nobody, other["refresh_token"])).status_code == 200

    async def test_used_at_the_same_moment_it_gives_one_answer_at_most(self, nobody, owned):
        answers = await asyncio.gather(*(self.refresh(nobody, owned["refresh_token"]) for _ in range(5)))

        assert [answer.status_code for answer in answers].count(200) <= 1

    async def test_an_access_token_is_no_refresh_token_nor_the_other_way(self, nobody, owned):
        me = await nobody.get(f"{API}/me", headers={"Authorization": f"Bearer {owned['refresh_token']}"})

        assert (await self.refresh(nobody, owned["access_token"])).status_code == 422
        assert me.status_code == 401


class TestSignOut:
    @pytest.mark.parametrize("by", ["access", "refresh"])
    async def test_it_ends_the_session_for_both_tokens(self, nobody, owned, by):
        headers = {"Authorization": f"Bearer {owned['access_token']}"}
        body = {"refresh_token": owned["refresh_token"]}
        how: dict[str, Any] = {"headers": headers} if by == "access" else {"json": body}
        answer = await nobody.post(f"{API}/auth/sign-out", **how)

        assert answer.status_code == 204
        assert (await nobody.get(f"{API}/me", headers=headers)).status_code == 401
        assert (await nobody.post(f"{API}/auth/refresh", json=body)).status_code == 401


class TestChanges:
    async def test_another_role_holds_at_once_and_disabling_too(self, ana, bo):
        who = f"/users/{bo.principal.user_id}"
        assert (await ana.ask("PATCH", who, json={"role": "viewer"})).status_code == 200
        assert (await bo.ask("POST", "/conversations", json={})).status_code == 403
        assert (await ana.ask("POST", f"{who}/disable")).status_code == 200
        assert (await bo.ask("GET", "/me")).status_code == 401
