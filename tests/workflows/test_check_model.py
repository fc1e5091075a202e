"""A look at a model, through a worker."""

import pytest

from core.tables.cost import ModelHealth
from tests.doubles.openai_server import Answer, Script, serving
from tests.workflows.stage import open_stage

pytestmark = pytest.mark.server

KEY = "sk-very-secret"


@pytest.fixture
async def checked(tmp_path, sqlite_database, client, ring):
    """Check the model of a script, and give what came of it."""

    async def check(script: Script, name: str = "mine"):
        async with serving(script) as double:
            models = [{"name": "mine", "model": "small", "base_url": double.base_url, "api_key": KEY}]
            async with open_stage(tmp_path, sqlite_database, client, ring, models=models) as stage:
                async with stage.working(upkeep=False):
                    return await stage.workflows.check_model(name), await stage.all(ModelHealth)

    return check


class TestCheck:
    async def test_a_good_key_is_told_with_the_number_of_models(self, checked):
        script = Script([Answer()])
        script.models = [{"id": "small"}, {"id": "large"}]
        found, rows = await checked(script)

        assert (found.ok, found.code, found.models_seen) == (True, "ok", 2)
        assert [(row.name, row.ok) for row in rows] == [("mine", True)]

    async def test_a_model_that_is_not_listed_is_told(self, checked):
        script = Script([Answer()])
        script.models = [{"id": "large"}]
        found, _ = await checked(script)

        assert (found.ok, found.code) == (True, "not_listed")

    @pytest.mark.parametrize(
        ("status", "code"), [(401, "model_refused_key"), (429, "model_rate_limited"), (500, "model_unavailable")]
    )
    async def test_what_is_wrong_is_told_without_the_key(self, checked, status, code):
        found, rows = await checked(Script([Answer(status=status)]))

        assert (found.ok, found.code) == (False, code)
        assert KEY not in found.model_dump_json()
        assert [(row.ok, row.code) for row in rows] == [(False, code)]

    async def test_an_endpoint_without_a_list_is_asked_for_one_token(self, checked):
        script = Script([Answer(status=404)])
        found, _ = await checked(script)

        assert (found.ok, found.code) == (False, "model_request_rejected")
        assert len([one for one in script.requests if "messages" in one]) == 1

    async def test_nobody_has_this_name(self, checked):
        found, rows = await checked(Script([Answer()]), name="nobody")

        assert (found.ok, found.code, rows) == (False, "unknown_model", [])
