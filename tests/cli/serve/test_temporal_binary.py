"""Which Temporal server is run, and which database it may open."""

from pathlib import Path

import pytest

from cli.serve.temporal_binary import TemporalBinary, check_version, find_binary
from core.errors import Misconfigured


@pytest.fixture
def binary(tmp_path):
    return TemporalBinary(path=tmp_path / "temporal", version=(1, 32, 0))


def refused(file: Path, binary: TemporalBinary) -> bool:
    try:
        check_version(file, binary)
    except Misconfigured:
        return True
    return False


class TestVersionGuard:
    @pytest.mark.parametrize("written", ["1.32.1", "1.33.0", "2.0.0"])
    def test_a_newer_database_is_refused(self, tmp_path, binary, written):
        (tmp_path / "server-version").write_text(written)

        with pytest.raises(Misconfigured, match=rf"{written}.*1\.32\.0"):
            check_version(tmp_path / "server-version", binary)

    @pytest.mark.parametrize("written", ["1.32.0", "1.9.9", "0.99.0"])
    def test_an_older_one_is_opened(self, tmp_path, binary, written):
        (tmp_path / "server-version").write_text(written)

        assert not refused(tmp_path / "server-version", binary)

    def test_a_guard_that_says_nothing_is_refused(self, tmp_path, binary):
        (tmp_path / "server-version").write_text("unknown")

        with pytest.raises(Misconfigured):
            check_version(tmp_path / "server-version", binary)

    def test_no_database_yet_is_fine(self, tmp_path, binary):
        assert not refused(tmp_path / "server-version", binary)


class TestFinding:
    async def test_path_comes_first(self, tmp_path, monkeypatch):
        program = tmp_path / "temporal"
        program.write_text("#!/bin/sh\necho 'temporal version 9.9.9 (Server 9.8.7, UI 1.0.0)'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

        assert await find_binary(tmp_path / "none") == TemporalBinary(path=program, version=(9, 8, 7))

    async def test_a_program_that_is_something_else_is_passed_over(self, tmp_path, monkeypatch):
        program = tmp_path / "temporal"
        program.write_text("#!/bin/sh\necho 'the time is now'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

        found = await find_binary(tmp_path / "none")

        assert found.path != program
        assert found.version >= (1, 29, 0)
