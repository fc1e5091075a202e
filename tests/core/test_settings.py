"""Settings: where they come from, and what is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import Misconfigured
from core.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path))
    return tmp_path


class TestSources:
    def test_defaults_follow_the_data_directory(self, data_dir):
        settings = load_settings()

        assert f"sqlite+aiosqlite:///{data_dir}/assent.db" == settings.database_url
        assert data_dir / "files" == settings.files_dir

    def test_a_flag_beats_the_environment_which_beats_the_file(self, data_dir, monkeypatch):
        (data_dir / "assent.toml").write_text('host = "::1"\nport = 1\nrounds = 3\n')
        monkeypatch.setenv("ASSENT_PORT", "2")
        monkeypatch.setenv("ASSENT_HOST", "localhost")

        settings = load_settings(host="127.0.0.2", port=None)

        assert (settings.host, settings.port, settings.rounds) == ("127.0.0.2", 2, 3)

    def test_the_file_may_be_elsewhere(self, tmp_path, monkeypatch):
        file = tmp_path / "other.toml"
        file.write_text("port = 7\n")
        monkeypatch.setenv("ASSENT_CONFIG", str(file))

        assert load_settings().port == 7

    def test_a_list_is_written_with_commas(self, monkeypatch):
        monkeypatch.setenv("ASSENT_CORS_ORIGINS", "https://a.example, https://b.example")

        assert load_settings().cors_origins == ("https://a.example", "https://b.example")

    def test_an_empty_variable_is_no_value(self, monkeypatch):
        monkeypatch.setenv("ASSENT_MODEL_NAME", "")

        assert load_settings().model_name is None


class TestRefusals:
    def test_an_unknown_key_is_named(self, data_dir):
        (data_dir / "assent.toml").write_text("prot = 1\n")

        with pytest.raises(Misconfigured, match="prot"):
            load_settings()

    def test_a_named_file_must_be_there(self, monkeypatch, tmp_path):
        monkeypatch.setenv("ASSENT_CONFIG", str(tmp_path / "missing.toml"))

        with pytest.raises(Misconfigured, match=r"missing\.toml"):
            load_settings()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "70000"),
            ("ROUNDS", "0"),
            ("DATABASE_URL", "mysql://x"),
            ("PUBLIC_URL", "javascript:x"),
            ("LOG_LEVEL", "loud"),
        ],
    )
    def test_a_wrong_value_names_the_setting(self, name, value, monkeypatch):
        monkeypatch.setenv(f"ASSENT_{name}", value)

        with pytest.raises(Misconfigured, match=f"ASSENT_{name}"):
            load_settings()

    def test_a_wrong_value_is_not_repeated(self, monkeypatch):
        monkeypatch.setenv("ASSENT_DATABASE_URL", "postgres://me:hunter2@host/x")

        with pytest.raises(Misconfigured) as caught:
            load_settings()

        assert "hunter2" not in str(caught.value)

    def test_secrets_are_masked(self, monkeypatch):
        monkeypatch.setenv("ASSENT_MODEL_API_KEY", "sk-hunter2")
        monkeypatch.setenv("ASSENT_DATABASE_URL", "postgresql+asyncpg://me:hunter2@host/x")

        assert "hunter2" not in repr(load_settings())


class TestTable:
    def test_the_documented_table_is_current(self):
        checked = subprocess.run([sys.executable, ROOT / "scripts" / "settings_table.py", "--check"], check=False)

        assert checked.returncode == 0
