"""Sets up .assent/venv from the hashed locks; run by the `assent` script, with nothing but the standard library."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".assent"
VENV = HOME / "venv"
READY = HOME / "ready"
LOG = HOME / "setup.log"
OLDEST_UV = (0, 8)


class SetupError(Exception):
    """What went wrong, and what a person can do about it."""


class Progress:
    """One line per step on stderr: what is done, its answer, the seconds it took."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def step(self, title: str, work: Callable[[], str]) -> str:
        """Run one step; its result is shown at the end of the line."""
        self._done += 1
        print(f"[{self._done}/{self._total}] {title} ... ", end="", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            answer = work()
        except SetupError:
            print("failed", file=sys.stderr)
            raise
        print(f"{answer} ({time.monotonic() - began:.1f} s)", file=sys.stderr, flush=True)
        return answer


def run(*command: str | Path, remedy: str) -> str:
    """Run a command with its output in the log; raise SetupError with the end of it when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        tail = "\n".join(f"    {line}" for line in (done.stderr or done.stdout).strip().splitlines()[-12:])
        message = f"{tail}\n  {remedy}\n  The whole output is in {LOG}."
        raise SetupError(message)
    return done.stdout


def environment() -> dict[str, str]:
    """Return the environment for uv: pip's index and certificates where only pip was told about them."""
    result = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONHOME"}}
    result["UV_PYTHON_DOWNLOADS"] = "never"
    result.pop("UV_REQUIRE_HASHES", None)
    for ours, theirs in (("UV_DEFAULT_INDEX", "PIP_INDEX_URL"), ("SSL_CERT_FILE", "PIP_CERT")):
        if theirs in os.environ:
            result.setdefault(ours, os.environ[theirs])
    return result


def find_uv() -> Path:
    """Return a uv that is recent enough: the machine's, else one of our own, by pip or by a venv that brings pip."""
    ours = (HOME / "uv" / "bin" / "uv", HOME / "boot" / "bin" / "uv")
    for candidate in (shutil.which("uv"), *ours):
        if candidate and uv_version(Path(candidate)) >= OLDEST_UV:
            return Path(candidate)
    pip_install = (
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--requirement",
        str(ROOT / "lock" / "uv.txt"),
    )
    remedy = (
        "Check that a Python package index can be reached (pip's own settings are used), or install uv yourself.\n"
        "  Debian's python3 needs `apt install python3-venv` besides."
    )
    try:
        run(sys.executable, *pip_install, "--upgrade", "--target", HOME / "uv", remedy=remedy)
    except SetupError:
        run(sys.executable, "-m", "venv", "--clear", HOME / "boot", remedy=remedy)
        run(HOME / "boot" / "bin" / "python", *pip_install, remedy=remedy)
        return ours[1]
    return ours[0]


def uv_version(uv: Path) -> tuple[int, ...]:
    """Return the version of a uv, () when it does not run."""
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ()
    match = re.match(r"uv (\d+)\.(\d+)\.(\d+)", answer)
    return tuple(int(part) for part in match.groups()) if match else ()


def make_venv(uv: Path, venv: Path = VENV) -> None:
    """Make an empty environment, unless one of this very Python is there."""
    config = venv / "pyvenv.cfg"
    version = ".".join(str(part) for part in sys.version_info[:3])
    if (venv / "bin" / "python").exists() and config.is_file() and f"version_info = {version}\n" in config.read_text():
        return
    shutil.rmtree(venv, ignore_errors=True)
    remedy = "Remove the folder .assent and try again."
    run(uv, "venv", "--quiet", "--no-project", "--python", sys.executable, venv, remedy=remedy)


def install_packages(uv: Path, groups: list[str], venv: Path = VENV) -> str:
    """Make the environment hold exactly what the locks of these groups name."""
    locks = [ROOT / "lock" / f"{group}.txt" for group in groups]
    remedy = (
        "Check that a Python package index can be reached; UV_DEFAULT_INDEX or PIP_INDEX_URL may name one.\n"
        "  If it can, remove the folder .assent and try again."
    )
    make_venv(uv, venv)
    run(uv, "pip", "sync", "--require-hashes", "--python", venv / "bin" / "python", *locks, remedy=remedy)
    return f"{len(list(venv.glob('lib/python*/site-packages/*.dist-info')))} packages"


def install_assent(uv: Path) -> str:
    """Put the `assent` command into the environment, pointing at this folder."""
    remedy = "Remove the folder .assent and try again."
    options = ("--quiet", "--no-deps", "--build-constraints", ROOT / "lock" / "build.txt", "--editable", ROOT)
    run(uv, "pip", "install", "--python", VENV / "bin" / "python", *options, remedy=remedy)
    return "done"


def is_ready(want: str, group: str) -> bool:
    """Tell whether another process has done the work while this one waited."""
    return bool(READY.is_file() and (VENV / "bin" / "python").exists()) and (
        READY.read_text().splitlines()[:1] == [want] and group in installed_groups()
    )


def installed_groups() -> list[str]:
    """Return the groups that the last complete set-up installed."""
    lines = READY.read_text().splitlines() if READY.is_file() else []
    return lines[1].split() if len(lines) > 1 else []


def set_up(want: str, group: str) -> None:
    """Do all steps; the `ready` file goes first and comes back last, so a broken set-up is never taken for one."""
    groups = sorted({"base", group, *installed_groups()} & {"base", "dev"})
    READY.unlink(missing_ok=True)
    LOG.unlink(missing_ok=True)
    progress = Progress(4)
    progress.step("Finding Python 3.11 or newer", lambda: ".".join(str(part) for part in sys.version_info[:3]))
    uv = Path(progress.step("Finding uv, the installer", lambda: str(find_uv())))
    progress.step(f"Installing the packages of lock/{{{','.join(groups)}}}.txt", lambda: install_packages(uv, groups))
    progress.step("Installing the assent command", lambda: install_assent(uv))
    fresh = READY.with_suffix(".new")
    fresh.write_text(f"{want}\n{' '.join(groups)}\n")
    fresh.replace(READY)


def main() -> int:
    """Set up under a lock, so that two at once become one after the other."""
    want, group = sys.argv[1:3]
    HOME.mkdir(exist_ok=True)
    with (HOME / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another set-up of this folder ...", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        if is_ready(want, group):
            return 0
        try:
            set_up(want, group)
        except SetupError as problem:
            print(f"assent: the set-up failed.\n{problem}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
