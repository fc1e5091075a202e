"""Sets up .assent/embed, the embedder's own environment (gigabytes, with torch), and prints its Python's path.

`python scripts/embed.py` does it, with progress on stderr; `--find` only tells whether it is there. The product runs
it when memory needs it, `./assent test` before the tests. Standard library only, as `setup`.
"""

import fcntl
import hashlib
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.setup import HOME, ROOT, Progress, SetupError, find_uv, install_packages, run

EMBED = HOME / "embed"
LOCK = ROOT / "lock" / "embed.txt"


def venv() -> Path:
    """Name the environment that answers the lock and this Python: another lock makes another one."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    digest = hashlib.sha256(LOCK.read_bytes() + version.encode()).hexdigest()[:12]
    return EMBED / digest


def find() -> Path | None:
    """Return its Python when it is whole; a half-made one lacks the mark."""
    python = venv() / "bin" / "python"
    return python if (venv() / "ready").is_file() and python.exists() else None


def set_up() -> Path:
    """Make it whole, and remove those of older locks. Raises SetupError."""
    progress = Progress(3)
    uv = Path(progress.step("Finding uv, the installer", lambda: str(find_uv())))
    title = "Installing the embedder's packages of lock/embed.txt, some gigabytes"
    progress.step(title, lambda: install_packages(uv, ["embed"], venv()))
    python = venv() / "bin" / "python"
    progress.step("Trying them, which compiles them", lambda: _try(python))
    (venv() / "ready").touch()
    for other in EMBED.iterdir():
        if other.is_dir() and other != venv():
            shutil.rmtree(other, ignore_errors=True)
    return python


def _try(python: Path) -> str:
    remedy = "Remove the folder .assent/embed and try again."
    code = "import sentence_transformers, onnxruntime, onnx; print(sentence_transformers.__version__)"
    return "sentence-transformers " + run(python, "-I", "-c", code, remedy=remedy).strip()


def main() -> int:
    """Set up under a lock, so that two at once become one after the other; print the Python's path."""
    if "--find" not in sys.argv and find() is None:
        EMBED.mkdir(parents=True, exist_ok=True)
        with (HOME / "embed.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Waiting for another set-up of the embedder ...", file=sys.stderr, flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                if find() is None:
                    began = time.monotonic()
                    set_up()
                    print(f"The embedder is set up ({time.monotonic() - began:.0f} s).", file=sys.stderr, flush=True)
            except SetupError as problem:
                print(f"The embedder's set-up failed.\n{problem}", file=sys.stderr, flush=True)
                return 1
    python = find()
    print(python or "")
    return 0 if python else 1


if __name__ == "__main__":
    sys.exit(main())
