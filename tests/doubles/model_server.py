"""Starts aimock, a double of the OpenAI wire format that others wrote; npm brings it into .assent/aimock once."""

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.doubles.packages import install

PACKAGE = Path(__file__).resolve().parent / "aimock"
_ADDRESS = re.compile(r"listening on (http://\S+)")


@contextlib.contextmanager
def aimock(fixtures: Path) -> Iterator[str]:
    """Run aimock on a free port; gives the base URL."""
    home = install(PACKAGE)
    program = home / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    command = [str(home / "node" / "node"), str(program), "-p", "0", "-f", str(fixtures), "--strict"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield f"{_address(process)}/v1"
        finally:
            process.kill()


def _address(process: subprocess.Popen[str]) -> str:
    said: list[str] = []
    for line in process.stdout or ():
        said.append(line)
        if found := _ADDRESS.search(line):
            return found.group(1)
    message = f"aimock did not start: {''.join(said)}"
    raise RuntimeError(message)
