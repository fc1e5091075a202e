"""Writes the hashed requirement files in lock/; with `--check` only tells whether they answer pyproject.toml."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.setup import find_uv

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "lock"
# No address in a lock: it works with any index. Markers for all platforms, versions for the oldest Python.
OPTIONS = (
    *("--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"),
    *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
)
# File, what is asked for on standard input ("" when pyproject.toml says it), where the rest is asked for.
RECIPES = (
    ("base.txt", "", ["pyproject.toml"]),
    ("dev.txt", "", ["--group", "pyproject.toml:dev", "--constraints", "lock/base.txt"]),
    ("embed.txt", "", ["--group", "pyproject.toml:embed", "--excludes", "lock/embed-excludes.in"]),
    ("build.txt", "hatchling", ["-"]),
    ("uv.txt", "uv==0.13.8", ["-"]),
)


def compile_all(folder: Path, *extra: str) -> None:
    """Write every lock into `folder`; versions that are there already stay when they still fit."""
    uv = find_uv()
    for name, asked, sources in RECIPES:
        command: list[str | Path] = [uv, "pip", "compile", *OPTIONS, *extra, *sources, "--output-file", folder / name]
        subprocess.run(command, cwd=ROOT, input=asked, text=True, check=True, env=os.environ | {"UV_NO_CONFIG": "1"})


def stale() -> list[str]:
    """Compile over a copy and name the files that come out differently."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, _, _ in RECIPES:
            shutil.copy(LOCK / name, folder / name)
        compile_all(folder)
        return [name for name, _, _ in RECIPES if (folder / name).read_bytes() != (LOCK / name).read_bytes()]


def main() -> int:
    """Write the locks (`--upgrade`: with the newest versions), or check them."""
    if "--check" not in sys.argv:
        compile_all(LOCK, *sys.argv[1:])
        return 0
    names = stale()
    for name in names:
        print(f"lock/{name} does not answer pyproject.toml: run scripts/lock.py", file=sys.stderr)
    return bool(names)


if __name__ == "__main__":
    sys.exit(main())
