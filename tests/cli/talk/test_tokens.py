"""`assent tokens` against the real doors: shown once, listed without it, revoked."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from cli.talk.server import Server, open_server
from cli.talk.tokens import create_token, list_tokens, revoke_token
from core.keys import KeyRing
from core.permissions import Role, Scope
from core.settings import Settings
from core.store.database import Database
from tests.api.rest.house import ADDRESS, House, Person, open_house


@pytest.fixture
async def house(tmp_path: Path, sqlite_database: Database, ring: KeyRing) -> AsyncIterator[House]:
    async with open_house(Settings(data_dir=tmp_path), sqlite_database, ring) as opened:
        yield opened


@pytest.fixture
async def ana(house: House) -> Person:
    return await house.person(await house.workspace(), Role.OWNER)


@pytest.fixture
async def server(house: House, ana: Person, signed_in: Callable[[str], object], store) -> AsyncIterator[Server]:
    signed_in(ADDRESS)
    async with open_server(store, httpx.ASGITransport(house.app)) as opened:
        opened.credentials = opened.credentials.model_copy(update={"access_token": SecretStr(ana.token)})
        yield opened


class TestTokens:
    async def test_a_token_is_made_listed_and_revoked(self, house, server, screen):
        made = screen()
        await create_token(server, made, "nightly", 30, [Scope.READ])
        secret = made.out.getvalue().split()[-1]
        token_id = next(word for word in made.notices.getvalue().split() if word.startswith("atk_"))
        program = await house.http(secret)
        before = (await program.get("/api/v1/me")).status_code
        listed = screen()
        await list_tokens(server, listed, everybody=False)
        await revoke_token(server, screen(), token_id)

        assert secret.startswith("ast_")
        assert "may read; until " in made.notices.getvalue()
        assert "nightly" in listed.out.getvalue()
        assert secret not in listed.out.getvalue()
        assert (before, (await program.get("/api/v1/me")).status_code) == (200, 401)
