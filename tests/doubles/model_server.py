"""Starts aimock, a double of the OpenAI wire format that others wrote; npm brings it into .assent/aimock once."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.browser import link_node

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = Path(__file__).resolve().parent / "aimock"
HOME = ROOT / ".assent" / "aimock"
_ADDRESS = re.compile(r"listening on (http://\S+)")


def install_aimock() -> Path:
    """Return the folder with aimock and Node; npm fetches the locked version when it is not there yet."""
    digest = hashlib.sha256((PACKAGE / "package-lock.json").read_bytes()).hexdigest()[:16]
    ready = HOME / digest
    if ready.is_dir():
        return ready
    fresh = HOME.with_name(f"aimock.{os.getpid()}")
    nodes = link_node(fresh / "node")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PACKAGE / name, fresh)
    environment = os.environ | {"PATH": f"{nodes}:{os.environ['PATH']}"}
    subprocess.run(
        [nodes / "npm", "ci", "--ignore-scripts"], cwd=fresh, env=environment, capture_output=True, check=True
    )
    HOME.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        fresh.rename(ready)
    shutil.rmtree(fresh, ignore_errors=True)
    return ready


@contextlib.contextmanager
def aimock(fixtures: Path) -> Iterator[str]:
    """Run aimock on a free port; gives the base URL."""
    home = install_aimock()
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
