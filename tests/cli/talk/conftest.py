"""A server of recorded answers, and somebody who is signed in to it."""

import io
import time

import pytest
from pydantic import SecretStr

from cli.talk.credentials import Credentials, CredentialStore
from cli.talk.screen import Screen
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
