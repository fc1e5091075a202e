"""Starts `oidc-provider`, a certified OpenID provider that others wrote; npm brings it into .assent/oidc once."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.doubles.packages import install

PACKAGE = Path(__file__).resolve().parent / "oidc"
_ADDRESS = re.compile(r"listening on (http://\S+)")


@contextlib.contextmanager
def oidc_provider(*clients: dict[str, Any]) -> Iterator[str]:
    """Run a provider that knows these clients; gives its issuer."""
    home = install(PACKAGE)
    command = [str(home / "node" / "node"), str(home / "provider.mjs"), json.dumps({"clients": clients})]
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
