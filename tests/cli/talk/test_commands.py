"""The commands as a person types them."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cli.main import build

FORBIDDEN = """
import pkgutil, sys, cli.talk
from importlib import import_module
for one in pkgutil.iter_modules(cli.talk.__path__): import_module(f"cli.talk.{one.name}")
servers = ("api.", "workers.", "temporalio.", "core.store.", "sqlalchemy.")
print(*(name for name in sys.modules if f"{name}.".startswith(servers)))
"""


class TestCommands:
    @pytest.fixture
    def assent(self, tmp_path, monkeypatch):
        monkeypatch.setenv("ASSENT_CLIENT_DIR", str(tmp_path))

        return lambda *words, stdin="": CliRunner().invoke(build(), words, input=stdin)

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (("approvals", "list"), 3),
            (("chat", "hi"), 3),
            (("facts", "list"), 3),
            (("facts", "forget", "../x"), 2),
            (("chat", " "), 2),
            (("chat", "--json"), 2),
            (("approvals", "nonsense"), 2),
            (("usage",), 3),
            (("usage", "--csv", "--json"), 2),
            (("usage", "--from", "yesterday"), 2),
            (("budget", "set", "--period", "day"), 2),
            (("budget", "set", "--period", "day", "--money", "-1"), 2),
            (("budget", "set", "--period", "day", "--money", "0.50"), 3),
            (("health", "--url", "http://127.0.0.1:9"), 5),
            (("login", "--url", "ftp://x", "--email", "a@b", "--password-stdin"), 1),
        ],
    )
    def test_each_failure_is_one_clear_line_and_has_its_code(self, assent, words, code):
        done = assent(*words, stdin="password\n")

        assert (done.exit_code, done.stdout) == (code, "")
        assert "Traceback" not in done.stderr
        assert done.stderr

    def test_people_are_added_without_a_server_and_the_audit_holds(self, assent, tmp_path):
        data = str(tmp_path / "data")
        words = ("users", "add", "Ana@Example.com", "--role", "owner", "--password-stdin", "--data", data)
        first, again = (assent(*words, stdin="a long password\n") for _ in range(2))

        assert (first.exit_code, first.stdout) == (0, "Added ana@example.com as owner.\n")
        assert (again.exit_code, "already" in again.stderr) == (4, True)
        assert "intact" in assent("audit", "verify", "--data", data).stdout

    @pytest.mark.parametrize("role", ["admin", "approver", "member", "viewer"])
    def test_the_first_person_is_an_owner(self, assent, tmp_path, role):
        options = ("--password-stdin", "--data", str(tmp_path / "data"))
        first = assent("users", "add", "ben@example.com", "--role", role, *options, stdin="a long password\n")
        owner = assent("users", "add", "ana@example.com", "--role", "owner", *options, stdin="a long password\n")
        second = assent("users", "add", "ben@example.com", "--role", role, *options, stdin="a long password\n")

        assert (first.exit_code, "The first person must be an owner: --role owner" in first.stderr) == (2, True)
        assert (owner.exit_code, second.exit_code) == (0, 0)

    def test_what_it_writes_is_private_in_an_open_folder(self, assent, tmp_path):
        data = tmp_path / "data"
        data.mkdir(mode=0o755)
        words = ("users", "add", "ana@example.com", "--role", "owner", "--password-stdin", "--data", str(data))

        assert assent(*words, stdin="a long password\n").exit_code == 0
        assert [str(one) for one in data.rglob("*") if one.stat().st_mode & 0o077] == []

    @pytest.mark.parametrize("password", ["", "short", "x" * 300])
    def test_a_password_that_cannot_be_is_refused_and_not_repeated(self, assent, tmp_path, password):
        words = ("users", "add", "ana@example.com", "--password-stdin", "--data", str(tmp_path / "data"))
        done = assent(*words, stdin=f"{password}\n")

        assert done.exit_code == 1
        assert not password or password not in done.stderr

    def test_a_client_never_loads_the_server(self):
        done = subprocess.run([sys.executable, "-c", FORBIDDEN], capture_output=True, text=True, check=True)

        assert done.stdout.strip() == ""
