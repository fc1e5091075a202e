"""A server of recorded answers, and the real doors; somebody who is signed in to each."""

import io
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import httpx
import pytest
from pydantic import SecretStr

from cli.talk.credentials import Credentials, CredentialStore
from cli.talk.screen import Screen
from cli.talk.server import Server, open_server
from core.permissions import Role
from tests.api.rest.house import ADDRESS, House, Person, open_house
from tests.page.stage import open_stage


@pytest.fixture
async def stage():
    async with open_stage() as stage:
        yield stage


@pytest.fixture
def store(tmp_path):
    return CredentialStore(tmp_path / "config")


@pytest.fixture
def signed_in(store):
    """Sign in to an address."""

    def sign_in(url: str, seconds: float = 900) -> CredentialStore:
        store.write(
            Credentials(
                url=url,
                email="ana@example.com",
                name="Ana",
                user_id="usr_1",
                access_token=SecretStr("access-1"),
                refresh_token=SecretStr("refresh-1"),
                expires_at=time.time() + seconds,
            )
        )
        return store

    return sign_in


@pytest.fixture
async def house(settings, sqlite_database, ring) -> AsyncIterator[House]:
    async with open_house(settings, sqlite_database, ring) as opened:
        yield opened


@pytest.fixture
async def ana(house: House) -> Person:
    return await house.person(await house.workspace(), Role.OWNER)


@pytest.fixture
def opening(house: House, ana: Person, signed_in):
    """Open the house for Ana, once or again."""
    store = signed_in(ADDRESS)
    store.write(store.read().model_copy(update={"access_token": SecretStr(ana.token)}))

    def opened() -> AbstractAsyncContextManager[Server]:
        return open_server(store, httpx.ASGITransport(house.app))

    return opened


@pytest.fixture
async def server(opening) -> AsyncIterator[Server]:
    """The house, open for Ana."""
    async with opening() as opened:
        yield opened


@pytest.fixture
def screen(monkeypatch):
    """A screen that writes to `out` and `notices`."""

    def make(*, as_json: bool = False) -> Screen:
        out, notices = io.StringIO(), io.StringIO()
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stderr", notices)
        made = Screen(as_json=as_json)
        made.out, made.notices = out, notices  # type: ignore[attr-defined]
        return made

    return make
