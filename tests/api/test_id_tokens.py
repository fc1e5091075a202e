"""What a provider says of a person is believed only when it signed it, for us, now, in answer to our question."""

import asyncio
import base64
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from api.oidc.provider import Provider
from core.errors import ProofFailed, Unavailable
from core.oidc_entries import OidcEntry
from core.settings import Settings

KEY = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"})
STRANGER = ECKey.generate_key("P-256", {"kid": "k1"})
SECRET = "the client's secret, of forty bytes or more"


class Forger:
    """A provider that says whatever a test wants."""

    def __init__(self) -> None:
        self.issuer = ""
        self.token: Any = ""
        self.described: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {"sub": "ben", "email": "Ben@X.test", "email_verified": True}

    def claims(self, **other: Any) -> dict[str, Any]:
        at = int(time.time())
        known = {"iss": self.issuer, "aud": "assent", "sub": "ben", "nonce": "n1", "iat": at, "exp": at + 60}
        return {name: value for name, value in (known | other).items() if value is not None}

    def description(self, _: Request) -> JSONResponse:
        ends = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")}
        return JSONResponse({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks"} | ends | self.described)

    def keys(self, _: Request) -> JSONResponse:
        return JSONResponse({"keys": [KEY.as_dict(private=False)]})

    def given(self, _: Request) -> JSONResponse:
        return JSONResponse({"access_token": "at", "token_type": "Bearer", "id_token": self.token})

    def about(self, _: Request) -> JSONResponse:
        return JSONResponse(self.userinfo)


@pytest.fixture
async def forger() -> AsyncIterator[Forger]:
    forger = Forger()
    routes = [
        Route("/.well-known/openid-configuration", forger.description),
        Route("/jwks", forger.keys),
        Route("/token", forger.given, methods=["POST"]),
        Route("/userinfo", forger.about),
    ]
    taken = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[taken]))
    forger.issuer = f"http://127.0.0.1:{taken.getsockname()[1]}"
    yield forger
    server.should_exit = True
    await serving
    taken.close()


@pytest.fixture
def provider(forger) -> Provider:
    return Provider(OidcEntry(name="f", issuer=forger.issuer, client_id="assent", client_secret=SecretStr(SECRET)))


async def ask(provider: Provider):
    return await provider.claims(code="c", redirect_uri="http://assent.test/back", verifier="v" * 43, nonce="n1")


def signed(claims: dict[str, Any], key: Any = KEY, algorithm: str = "ES256") -> str:
    return jwt.encode({"alg": algorithm, "kid": "k1"}, claims, key, algorithms=[algorithm])


def by_hand(algorithm: str, claims: dict[str, Any], secret: bytes | None = None) -> str:
    """A token that no library would make: without a signature, or signed with what is no secret."""
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "kid": "k1"}, claims)]
    text = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    signature = hmac.digest(secret, text.encode(), "sha256") if secret else b""
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


class TestIdToken:
    async def test_a_right_one_is_believed_and_userinfo_of_the_same_subject(self, forger, provider):
        forger.token = signed(forger.claims())
        said = await ask(provider)

        assert (said.subject, said.email, said.email_verified) == ("ben", "ben@x.test", True)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"iss": "https://evil.test"},
            {"iss": None},
            {"aud": "another"},
            {"aud": None},
            {"aud": ["another", "assent"]},  # for several, and not said to be given to us
            {"azp": "another"},
            {"nonce": "n2"},
            {"nonce": None},
            {"nonce": ["n1"]},
            {"sub": None},
            {"sub": ""},
            {"sub": 7},
            {"exp": 1},
            {"exp": None},
            {"iat": None},
            {"at_hash": "bm90IGl0"},
        ],
        ids=str,
    )
    async def test_a_wrong_claim_is_not(self, forger, provider, wrong):
        forger.token = signed(forger.claims(**wrong))

        with pytest.raises(ProofFailed):
            await ask(provider)

    @pytest.mark.parametrize("kind", ["stranger", "none", "secret as key", "public key as key", "nonsense", "nothing"])
    async def test_a_wrong_signature_is_not(self, forger, provider, kind):
        claims = forger.claims()
        forger.token = {
            "stranger": lambda: signed(claims, STRANGER),
            "none": lambda: by_hand("none", claims),
            "secret as key": lambda: by_hand("HS256", claims, SECRET.encode()),
            "public key as key": lambda: by_hand("HS256", claims, KEY.as_pem(private=False)),
            "nonsense": lambda: "a.b.c",
            "nothing": lambda: None,
        }[kind]()

        with pytest.raises(ProofFailed):
            await ask(provider)

    async def test_an_address_verified_in_words_is_not_verified(self, forger, provider):
        forger.token = signed(forger.claims(email="ben@x.test", email_verified="true"))

        assert (await ask(provider)).email_verified is False

    async def test_userinfo_of_somebody_else_is_not_believed(self, forger, provider):
        forger.token, forger.userinfo = signed(forger.claims()), {"sub": "eve", "email": "eve@x.test"}

        with pytest.raises(ProofFailed):
            await ask(provider)

    async def test_another_key_of_the_right_kind_is_not_taken(self, forger, provider):
        forger.token = signed(forger.claims(), RSAKey.generate_key(2048, {"kid": "k1"}), "RS256")

        with pytest.raises(ProofFailed):
            await ask(provider)


class TestDescription:
    @pytest.mark.parametrize(
        "wrong",
        [{"issuer": "https://evil.test"}, {"token_endpoint": "http://evil.test/token"}, {"jwks_uri": None}],
        ids=str,
    )
    async def test_one_that_does_not_fit_is_not_used(self, forger, provider, wrong):
        forger.described = wrong

        with pytest.raises(Unavailable):
            await provider.metadata()

    async def test_one_that_is_away_is_said_to_be(self):
        with pytest.raises(Unavailable):
            await Provider(OidcEntry(name="x", issuer="http://127.0.0.1:9", client_id="a")).metadata()


class TestSettings:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"issuer": "http://login.example.com"},
            {"issuer": "https://login.example.com?x=1"},
            {"scopes": ["email"]},
            {"name": "No Name"},
            {"role": "owner"},
            {"role": "member"},
            {"role": "member", "trust_email": True},
            {"allowed_domains": ["*"]},
        ],
        ids=str,
    )
    def test_a_dangerous_provider_is_refused(self, tmp_path, wrong):
        right = {"name": "one", "issuer": "https://login.example.com", "client_id": "a"}
        with pytest.raises(ValidationError):
            Settings.model_validate({"data_dir": tmp_path, "oidc": [right | wrong]})

    def test_two_of_one_name_are_refused(self, tmp_path):
        one = {"name": "one", "issuer": "https://login.example.com", "client_id": "a"}
        with pytest.raises(ValidationError):
            Settings.model_validate({"data_dir": tmp_path, "oidc": [one, one]})
