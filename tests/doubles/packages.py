"""npm packages that tests run: each folder's locked versions are brought into .assent once, with a Node beside them."""

import contextlib
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.browser import link_node

ROOT = Path(__file__).resolve().parent.parent.parent


def install(package: Path) -> Path:
    """Return a folder with the packages, the programs and `node/node`; made anew when anything of them changed."""
    files = sorted(one for one in package.iterdir() if one.is_file())
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in files)).hexdigest()[:16]
    home = ROOT / ".assent" / package.name
    ready = home / digest
    if ready.is_dir():
        return ready
    fresh = home.with_name(f"{package.name}.{os.getpid()}")
    nodes = link_node(fresh / "node")
    for file in files:
        shutil.copy(file, fresh)
    environment = os.environ | {"PATH": f"{nodes}:{os.environ['PATH']}"}
    subprocess.run(
        [nodes / "npm", "ci", "--ignore-scripts"], cwd=fresh, env=environment, capture_output=True, check=True
    )
    home.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        fresh.rename(ready)
    shutil.rmtree(fresh, ignore_errors=True)
    return ready
