"""From the settings to the models."""

import subprocess
import sys

import pytest

from core.errors import Misconfigured
from core.model_entries import entries_of
from core.settings import Settings, load_settings
from workers.llm.choose import build_router
from workers.llm.router import Need

KEY = "sk-very-secret"
EVERYBODY = [
    {"name": "o", "provider": "openai", "api_key": KEY},
    {"name": "a", "provider": "anthropic", "api_key": KEY, "tier": "strong"},
    {"name": "g", "provider": "google", "api_key": KEY, "images": True},
    {"name": "m", "provider": "mistral", "api_key": KEY},
    {"name": "b", "provider": "bedrock", "api_key": KEY, "region": "eu-central-1", "model": "amazon.nova-lite-v1:0"},
    {"name": "l", "provider": "ollama", "model": "qwen3", "tools": False},
    {"name": "r", "provider": "openrouter", "api_key": KEY, "model": "openai/gpt-5-mini"},
]
HALVES = [
    ({"provider": "openai-compatible"}, "base_url"),
    ({"provider": "openai"}, "api_key"),
    ({"provider": "anthropic"}, "api_key"),
    ({"provider": "google"}, "api_key"),
    ({"provider": "mistral"}, "api_key"),
    ({"provider": "bedrock", "api_key": KEY}, "region"),
    ({"provider": "openrouter", "api_key": KEY}, "maker/model"),
    ({"provider": "openai", "api_key": KEY, "base_url": "ftp://x"}, "http://"),
]


def settings_of(tmp_path, **given) -> Settings:
    return Settings(data_dir=tmp_path, **given)


class TestEntries:
    def test_without_an_endpoint_there_are_none(self, tmp_path):
        assert entries_of(settings_of(tmp_path)) == ()

    def test_the_model_of_the_older_settings_is_the_first(self, tmp_path):
        settings = settings_of(
            tmp_path, model_base_url="http://127.0.0.1:9/v1", model_name="small-model", models=EVERYBODY
        )

        assert [entry.name for entry in entries_of(settings)] == ["small-model", "o", "a", "g", "m", "b", "l", "r"]

    @pytest.mark.parametrize(
        ("base_url", "name", "missing"),
        [("http://127.0.0.1:9/v1", None, "ASSENT_MODEL_NAME"), (None, "small-model", "ASSENT_MODEL_BASE_URL")],
    )
    def test_half_an_endpoint_is_an_error_that_names_the_other_half(self, tmp_path, base_url, name, missing):
        with pytest.raises(Misconfigured, match=missing):
            entries_of(settings_of(tmp_path, model_base_url=base_url, model_name=name))

    @pytest.mark.parametrize(("given", "missing"), HALVES)
    def test_half_an_entry_is_an_error_that_names_the_entry_and_the_field(self, tmp_path, given, missing):
        with pytest.raises(Misconfigured, match=missing) as caught:
            entries_of(settings_of(tmp_path, models=[{"name": "mine", **given}]))

        assert "'mine'" in caught.value.detail
        assert KEY not in caught.value.detail

    def test_two_of_one_name_are_an_error(self, tmp_path):
        with pytest.raises(Misconfigured, match="'o'"):
            entries_of(settings_of(tmp_path, models=[EVERYBODY[0], EVERYBODY[0]]))

    def test_a_wrong_table_never_shows_a_key(self, tmp_path, monkeypatch):
        (tmp_path / "assent.toml").write_text(f'[[models]]\nname = "x"\nprovider = "nobody"\napi_key = "{KEY}"\n')
        with pytest.raises(Misconfigured) as caught:
            load_settings(data_dir=tmp_path)

        assert "models" in caught.value.detail
        assert KEY not in caught.value.detail


class TestRouter:
    async def test_without_models_the_offline_assistant_answers(self, tmp_path):
        router = build_router(settings_of(tmp_path))

        assert [model.offline for model in router.chain(Need())] == [True]

    async def test_every_provider_opens_without_sending_anything(self, tmp_path):
        router = build_router(settings_of(tmp_path, models=EVERYBODY))
        chain = router.chain(Need(tools=True))
        traits = router.traits("r")
        await router.aclose()

        assert {model.name for model in chain} == {"o", "a", "g", "m", "b", "r"}
        assert (traits.provider, traits.input_price is not None) == ("openrouter", True)

    def test_nobody_pays_the_import_of_a_provider_that_is_not_used(self, tmp_path):
        code = (
            "import sys; from core.settings import Settings; from workers.llm.choose import build_router;"
            "build_router(Settings(data_dir=sys.argv[1]));"
            "assert 'pydantic_ai' not in sys.modules;"
            "build_router(Settings(data_dir=sys.argv[1], model_base_url='http://127.0.0.1:9', model_name='x'));"
            "assert not {'anthropic', 'google.genai', 'mistralai', 'botocore'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
