"""Access tokens that are nearly right, and all that must not let anybody in."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from api.tokens import AUDIENCE, ISSUER, TYPE
from core.permissions import Role
from tests.api.rest.house import API, House, Person

Forger = Callable[["Forge"], str]


class Forge:
    """Makes tokens that are nearly right."""

    def __init__(self, house: House, person: Person) -> None:
        self.key_id, self.key = house.ring.active("jwt")
        self.audit_key = house.ring.active("audit")[1]
        self.good = person.token
        self.claims: dict[str, Any] = jwt.decode(person.token, self.key, ["HS256"], audience=AUDIENCE)

    def make(
        self, claims: dict[str, Any] | None = None, without: str = "", key: bytes | None = None, **header: Any
    ) -> str:
        content = {name: one for name, one in (self.claims | (claims or {})).items() if name != without}
        headers = {"alg": "HS256", "kid": self.key_id, "typ": TYPE} | header
        signed = f"{self.part(headers)}.{self.part(content)}"
        mac = hmac.digest(self.key if key is None else key, signed.encode(), "sha256")
        return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    def unsigned(self, alg: str) -> str:
        headers = {"alg": alg, "kid": self.key_id, "typ": TYPE}
        return f"{self.part(headers)}.{self.part(self.claims)}."

    def part(self, value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


CORPUS: dict[str, Forger] = {
    "not a token": lambda _: "hello",
    "empty parts": lambda _: "..",
    "two parts": lambda f: f.good.rpartition(".")[0],
    "no signature": lambda f: f.good.rpartition(".")[0] + ".",
    "another's signature": lambda f: f.make(key=b"k" * 32),
    "an empty key": lambda f: f.make(key=b""),
    "the key of another purpose": lambda f: f.make(key=f.audit_key),
    "alg none": lambda f: f.unsigned("none"),
    "alg None": lambda f: f.unsigned("None"),
    "alg nOnE": lambda f: f.unsigned("nOnE"),
    "alg RS256": lambda f: f.make(alg="RS256"),
    "alg HS512": lambda f: f.make(alg="HS512"),
    "alg missing": lambda f: f.make(alg=None),
    "typ JWT": lambda f: f.make(typ="JWT"),
    "typ of a refresh token": lambda f: f.make(typ="rt+jwt"),
    "typ missing": lambda f: f.make(typ=None),
    "kid unknown": lambda f: f.make(kid="other"),
    "kid is a path": lambda f: f.make(kid="../../keys.json"),
    "kid is SQL": lambda f: f.make(kid="x' or '1'='1"),
    "kid is a list": lambda f: f.make(kid=["test"]),
    "kid missing": lambda f: f.make(kid=None),
    "crit header": lambda f: f.make(crit=["exp"]),
    "jwk in the header, alg none": lambda f: f.make(key=b"", jwk={"kty": "oct", "k": ""}),
    "iss wrong": lambda f: f.make({"iss": "https://evil.test"}),
    "iss missing": lambda f: f.make(without="iss"),
    "aud wrong": lambda f: f.make({"aud": "another-api"}),
    "aud is a list": lambda f: f.make({"aud": [AUDIENCE, "another-api"]}),
    "aud missing": lambda f: f.make(without="aud"),
    "expired": lambda f: f.make({"exp": int(time.time()) - 60}),
    "exp missing": lambda f: f.make(without="exp"),
    "exp is text": lambda f: f.make({"exp": "tomorrow"}),
    "exp is infinite": lambda f: f.make({"exp": float("inf")}),
    "issued in the future": lambda f: f.make({"iat": int(time.time()) + 3600}),
    "iat missing": lambda f: f.make(without="iat"),
    "not before tomorrow": lambda f: f.make({"nbf": int(time.time()) + 86400}),
    "sub missing": lambda f: f.make(without="sub"),
    "sub is a number": lambda f: f.make({"sub": 1}),
    "sub of somebody else": lambda f: f.make({"sub": "usr_00000000000000000000000000"}),
    "sid missing": lambda f: f.make(without="sid"),
    "sid unknown": lambda f: f.make({"sid": "ses_00000000000000000000000000"}),
    "sid is an object": lambda f: f.make({"sid": {"$ne": ""}}),
    "ws missing": lambda f: f.make(without="ws"),
    "ws of another": lambda f: f.make({"ws": "wks_00000000000000000000000000"}),
    "jti missing": lambda f: f.make(without="jti"),
    "header nested deeply": lambda _: base64.urlsafe_b64encode(b"[" * 1200).decode() + ".e30.x",
    "very long": lambda f: f.good + "A" * 10_000,
}


@pytest.fixture(scope="module")
async def house(shared: House) -> House:
    return shared


@pytest.fixture(scope="module")
async def ana(house: House) -> Person:
    return await house.person(await house.workspace(), Role.OWNER)


class TestAccessToken:
    async def test_the_forge_can_make_a_good_one(self, house, ana):
        client = await house.http(Forge(house, ana).make())

        assert (await client.get(f"{API}/me")).status_code == 200
        assert Forge(house, ana).claims["iss"] == ISSUER

    @pytest.mark.parametrize("name", CORPUS)
    async def test_a_bad_one_is_refused(self, house, ana, name):
        client = await house.http(CORPUS[name](Forge(house, ana)))
        answer = await client.get(f"{API}/me")

        assert answer.status_code == 401, answer.text
        assert answer.json()["code"] == "not_signed_in"

    @pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "bearer", "Token x"])
    async def test_other_headers_are_refused_too(self, house, header):
        client = await house.http(None, Authorization=header)

        assert (await client.get(f"{API}/me")).status_code == 401
        assert (await client.get(f"{API}/health")).status_code in {200, 401, 503}

    @pytest.mark.parametrize("name", ["token", "access_token", "TOKEN", "refresh_token", "password"])
    async def test_a_secret_in_the_address_is_refused(self, ana, name):
        answer = await ana.ask("GET", f"/me?{name}=abc")

        assert answer.status_code == 400
        assert answer.json()["code"] == "secret_in_address"
