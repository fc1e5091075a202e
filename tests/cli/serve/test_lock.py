"""The data directory belongs to one process at a time."""

import subprocess
import sys

import pytest

from cli.exit import InUse
from cli.serve.lock import held_data_dir, take_lock

HOLDER = """
import sys, pathlib
from cli.serve.lock import held_data_dir
with held_data_dir(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


class TestLock:
    def test_a_second_process_hears_who_has_it(self, tmp_path, holder):
        with pytest.raises(InUse, match=rf"process {holder.pid}"), held_data_dir(tmp_path):
            pass

    def test_a_killed_holder_gives_it_back(self, tmp_path, holder):
        holder.kill()
        holder.wait()

        with held_data_dir(tmp_path):
            assert take_lock(tmp_path / "lock") is None

    def test_it_is_given_back_at_the_end(self, tmp_path):
        with held_data_dir(tmp_path):
            pass
        with held_data_dir(tmp_path):
            assert (tmp_path / "lock").read_text()
