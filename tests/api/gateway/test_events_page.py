"""The page of events is current and complete."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class TestPage:
    def test_it_is_current_and_has_every_event(self) -> None:
        checked = subprocess.run([sys.executable, "-m", "scripts.events_table", "--check"], check=False, cwd=ROOT)

        assert checked.returncode == 0
