"""How a command ends."""

import subprocess
import sys

import pytest

SCRIPT = """
from cli.exit import *
from core.errors import *
def command():
    print("said")
    {body}
run_to_end(command)
"""


def ended(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", SCRIPT.format(body=body)], capture_output=True, text=True, check=False)


class TestEnd:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ("pass", 0),
            ("raise SystemExit(3)", 3),
            ("raise SystemExit", 0),
            ("raise KeyboardInterrupt", 130),
            ("raise InUse('taken')", 75),
            ("raise Unavailable('gone')", 69),
            ("raise Misconfigured('wrong')", 78),
            ("raise NotFound('nothing')", 1),
            ("raise ExceptionGroup('several', [ExceptionGroup('inner', [InUse('taken')])])", 75),
            ("raise ValueError('a bug')", 1),
        ],
    )
    def test_each_end_has_its_code_and_what_was_said_is_kept(self, body, code):
        result = ended(body)

        assert (code, "said\n") == (result.returncode, result.stdout)

    def test_our_errors_are_one_sentence(self):
        assert ended("raise InUse('It is taken.')").stderr == "assent: It is taken.\n"

    def test_a_bug_shows_where_it_is(self):
        assert "Traceback" in ended("raise ValueError('a bug')").stderr
