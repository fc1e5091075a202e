"""The product as a person has it: `assent ...` as processes of their own, on a data directory that is thrown away."""

import asyncio
import os
import re
import shutil
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
ASSENT = (sys.executable, "-c", "from cli.main import main; main()")
READY = re.compile(r"Assent is ready at (http://\S+)\n")
CODE = re.compile(r"one-time code: (\S+)")
LIMIT = 90.0
# What a log has when something went wrong that nobody foresaw, or when the SDK crashed at exit.
ALARMS = ("Traceback", "PyGILState", "Fatal Python error", "Task exception was never retrieved", "was never awaited")


def environment(**more: str) -> dict[str, str]:
    """What a started program sees: nothing of this machine's own settings, no proxy between it and loopback.

    Memory is off unless asked for: it would set gigabytes up.
    """
    # Without compiled modules each start takes three times the CPU.
    away = ("ASSENT_", "PYTEST_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(away)}
    return kept | {"PYTHONPATH": str(ROOT), "NO_PROXY": "*", "ASSENT_MEMORY": "false"} | more


class Product:
    """One data directory, and `up` (or another serving command) on it: started, killed and started again."""

    def __init__(self, folder: Path, command: str = "up") -> None:
        self.data = folder / "data"
        self.url = ""
        self.start_seconds = 0.0
        self._command = command
        self._folder = folder
        self._process: Process | None = None
        self._starts = 0

    async def start(self, *arguments: str, **settings: str) -> None:
        """Start it and wait for its one ready line; `settings` are environment variables of this start only."""
        began = time.perf_counter()
        process = await self.launch(*arguments, **settings)
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), LIMIT)).decode()
        found = READY.fullmatch(line)
        assert found, f"not the ready line: {line!r}\n{self.said}"
        self.url = found[1]
        self.start_seconds = time.perf_counter() - began

    async def launch(self, *arguments: str, **settings: str) -> Process:
        """Start it without waiting for anything."""
        self._starts += 1
        where = ("--port", "0") if self._command in {"up", "api"} else ()
        quiet = ("--no-browser",) if self._command == "up" else ()
        with self._said_file.open("wb") as said:
            self._process = await asyncio.create_subprocess_exec(
                *(*ASSENT, self._command, "--data", str(self.data), *where, *quiet, *arguments),
                cwd=self._folder,
                env=environment(**settings),
                stdout=PIPE,
                stderr=said,
            )
        return self._process

    async def kill(self) -> None:
        """Kill it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        await self.died()

    async def died(self) -> int:
        """Wait for its end; gives its code, which is -9 after SIGKILL. Its Temporal server is gone then, too."""
        assert self._process is not None
        children = [] if self._process.returncode is not None else _children(self._process.pid)
        code = await asyncio.wait_for(self._process.wait(), LIMIT)
        await asyncio.to_thread(psutil.wait_procs, children, LIMIT)
        return code

    async def stop(self) -> tuple[int, float]:
        """Ask it to end; gives its code, and the seconds that it took."""
        assert self._process is not None
        began = time.perf_counter()
        self._process.terminate()
        code = await self.died()
        return code, time.perf_counter() - began

    async def close(self) -> None:
        """End whatever is left."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    def temporal(self) -> psutil.Process:
        """The Temporal server that runs as its child."""
        assert self._process is not None
        return next(one for one in _children(self._process.pid) if one.name().startswith("temporal"))

    def copy_from(self, data: Path) -> None:
        """Begin with a copy of another product's data."""
        shutil.copytree(data, self.data)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def code(self) -> str:
        """The one-time code for the first visitor."""
        found = CODE.search(self.said)
        assert found, self.said
        return found[1]

    @property
    def said(self) -> str:
        """What the last start wrote to stderr."""
        return self._said_file.read_text("utf-8", "replace")

    @property
    def logs(self) -> str:
        """All that it ever logged or wrote to stderr, the Temporal server's own output left out."""
        files = [*self._folder.glob("said-*"), *(self.data / "logs").glob("*.log*")]
        return "\n".join(file.read_text("utf-8", "replace") for file in files if "temporal" not in file.name)

    def alarms(self) -> list[str]:
        """The lines that no log may have."""
        return [line for line in self.logs.splitlines() if any(sign in line for sign in ALARMS)]

    @property
    def _said_file(self) -> Path:
        return self._folder / f"said-{self._command}-{self._starts}"


def _children(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []
