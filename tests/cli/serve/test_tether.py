"""What is tethered does not outlive its parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TETHER = Path(__file__).resolve().parents[3] / "cli" / "serve" / "tether.py"
# Its stdout is a pipe: end of file there means that the tethered process is really gone.
CHILD = "import os, signal, sys; print(os.getpid(), flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + CHILD


def tethered(code: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(TETHER), sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **options,
    )


@pytest.fixture(params=[CHILD, STUBBORN], ids=["polite", "stubborn"])
def running(request):
    with tethered(request.param) as tether:
        assert tether.stdout is not None
        assert int(tether.stdout.readline()) > 0
        yield tether
        tether.kill()


class TestTether:
    def test_the_end_of_the_pipe_ends_it(self, running):
        running.stdin.close()

        assert running.stdout.read() == b""
        assert running.wait() in {128 + signal.SIGTERM, 128 + signal.SIGKILL}

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a child with a killed parent")
    def test_the_tethers_own_sudden_death_ends_it(self, running):
        running.kill()

        assert running.stdout.read() == b""

    def test_its_exit_code_is_passed_on(self):
        with tethered("import sys; sys.exit(7)") as tether:
            assert tether.wait() == 7

    def test_it_inherits_the_handles_that_are_named(self, tmp_path):
        handle = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
        environment = {**os.environ, "TETHER_FDS": str(handle)}
        with tethered(f"import os; os.write({handle}, b'here')", pass_fds=(handle,), env=environment) as tether:
            code = tether.wait()
        os.close(handle)

        assert code == 0
        assert (tmp_path / "file").read_text() == "here"
