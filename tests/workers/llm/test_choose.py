"""Which model answers."""

import pytest

from core.errors import Misconfigured
from core.settings import Settings
from workers.llm.choose import build_model, choose
from workers.llm.timing import Timeouts


class TestChoice:
    async def test_without_an_endpoint_the_offline_assistant_answers(self):
        model = choose(None, None, None, Timeouts())

        assert model.offline
        assert model.name == "offline assistant"

    async def test_an_endpoint_and_a_name_make_a_model(self, tmp_path):
        settings = Settings(data_dir=tmp_path, model_base_url="http://127.0.0.1:9/v1", model_name="small-model")
        model = build_model(settings)
        await model.aclose()

        assert (model.offline, model.name) == (False, "small-model")

    @pytest.mark.parametrize(
        ("base_url", "name", "missing"),
        [("http://127.0.0.1:9/v1", None, "ASSENT_MODEL_NAME"), (None, "small-model", "ASSENT_MODEL_BASE_URL")],
    )
    async def test_half_an_endpoint_is_an_error_that_names_the_other_half(self, base_url, name, missing):
        with pytest.raises(Misconfigured, match=missing):
            choose(base_url, name, None, Timeouts())
