"""Starts `oidc-provider`, a certified OpenID provider that others wrote; npm brings it into .assent/oidc once."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.browser import link_node

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = Path(__file__).resolve().parent / "oidc"
HOME = ROOT / ".assent" / "oidc"
_ADDRESS = re.compile(r"listening on (http://\S+)")


def install_provider() -> Path:
    """Return the folder with the provider and Node; npm fetches the locked version when it is not there yet."""
    digest = hashlib.sha256((PACKAGE / "package-lock.json").read_bytes()).hexdigest()[:16]
    ready = HOME / digest
    if ready.is_dir():
        return ready
    fresh = HOME.with_name(f"oidc.{os.getpid()}")
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
def oidc_provider(*clients: dict[str, Any]) -> Iterator[str]:
    """Run a provider that knows these clients; gives its issuer."""
    home = install_provider()
    program = home / "provider.mjs"  # beside the packages, where Node looks for them
    shutil.copy(PACKAGE / "provider.mjs", program)
    command = [str(home / "node" / "node"), str(program), json.dumps({"clients": clients})]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield _address(process)
        finally:
            process.kill()


def _address(process: subprocess.Popen[str]) -> str:
    said: list[str] = []
    for line in process.stdout or ():
        said.append(line)
        if found := _ADDRESS.search(line):
            return found.group(1)
    message = f"the provider did not start: {''.join(said)}"
    raise RuntimeError(message)
