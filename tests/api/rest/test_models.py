"""Models through the doors: what is shown, what never is, and who may check one."""

from typing import Any

import pytest

from core.clock import now
from core.errors import Unavailable
from core.keys import KeyRing
from core.messages import ModelChecked
from core.permissions import Role
from core.settings import Settings
from core.store.database import Database
from core.tables.cost import ModelHealth
from tests.api.rest.house import House, open_house

KEY = "sk-very-secret"
MODELS: Any = [
    {"name": "openai/large", "provider": "openai", "model": "gpt-4o-mini", "api_key": KEY},
    {"name": "own", "base_url": "http://user:hunter2@127.0.0.1:9/v1", "api_key": KEY, "input_price": 1},
]


@pytest.fixture
async def house(tmp_path, sqlite_database: Database, ring: KeyRing):
    settings = Settings(data_dir=tmp_path, models=MODELS)
    async with open_house(settings, sqlite_database, ring) as opened:
        yield opened


@pytest.fixture
def answering(house: House) -> list[str]:
    """A worker that says that all is well; gives the names that it was asked for."""
    asked: list[str] = []

    async def check(name: str) -> ModelChecked:
        asked.append(name)
        return ModelChecked(name=name, ok=True, code="ok", sentence="It answers.", took_ms=3, models_seen=2)

    house.workflows.check_model = check  # type: ignore[method-assign]
    return asked


class TestList:
    async def test_shows_what_they_can_do_and_neither_key_nor_address(self, bo):
        answer = await bo.ask("GET", "/models")
        items = {item["name"]: item for item in answer.json()["items"]}

        assert list(items) == ["openai/large", "own"]
        assert (items["openai/large"]["price_known"], items["openai/large"]["health"]) == (True, None)
        assert (items["own"]["input_price"], items["own"]["price_known"]) == (1, False)
        assert [secret for secret in (KEY, "hunter2", "127.0.0.1") if secret in answer.text] == []

    async def test_shows_the_newest_word_on_their_health(self, house, bo):
        row = ModelHealth(name="own", ok=False, code="model_refused_key", sentence="No.", at=now())
        async with house.database.writing() as session:
            session.add(row)
        own = (await bo.ask("GET", "/models")).json()["items"][1]

        assert (own["health"]["ok"], own["health"]["code"]) == (False, "model_refused_key")

    async def test_shows_which_of_them_somebody_may_ask(self, house, ana, bo):
        rule = await ana.ask("POST", "/model-rules", json={"allowed": ["own"], "user_id": bo.principal.user_id})
        hers, his = [(await who.ask("GET", "/models")).json()["items"] for who in (ana, bo)]

        assert rule.status_code in {200, 201}
        assert [item["allowed"] for item in hers] == [True, True]
        assert [item["allowed"] for item in his] == [False, True]


class TestCheck:
    async def test_is_for_owners_and_admins(self, house, workspace_id, answering, ana, bo):
        admin = await house.person(workspace_id, Role.ADMIN)
        codes = [(await who.ask("POST", "/models/own/check")).status_code for who in (ana, admin, bo)]

        assert codes == [200, 200, 403]
        assert answering == ["own", "own"]

    @pytest.mark.parametrize("path", ["openai/large", "openai%2Flarge"])
    async def test_names_may_hold_slashes(self, answering, ana, path):
        answer = await ana.ask("POST", f"/models/{path}/check")

        assert (answer.status_code, answering) == (200, ["openai/large"])
        assert answer.json()["models_seen"] == 2

    async def test_what_is_not_configured_is_not_there(self, answering, ana):
        assert (await ana.ask("POST", "/models/nobody/check")).status_code == 404
        assert answering == []

    async def test_without_workers_it_says_so(self, house, ana):
        async def away(name: str) -> ModelChecked:
            raise Unavailable("away")

        house.workflows.check_model = away

        assert (await ana.ask("POST", "/models/own/check")).status_code == 503


class TestHealth:
    async def test_tells_who_is_failing_and_is_degraded_when_all_are(self, house, ana):
        def failing(name: str) -> ModelHealth:
            return ModelHealth(name=name, ok=False, code="model_unavailable", sentence="No.", at=now())

        async with house.database.writing() as session:
            session.add(failing("own"))
        one = (await ana.ask("GET", "/health")).json()
        async with house.database.writing() as session:
            session.add(failing("openai/large"))
        house.app.other_asgi_app.state.context.probes._asked_at = 0.0
        both = (await ana.ask("GET", "/health")).json()

        assert one["offline_model"] is False
        assert (one["parts"]["model"]["state"], one["parts"]["model"]["facts"]["failing"]) == ("ok", ["own"])
        assert both["parts"]["model"]["state"] == "degraded"
