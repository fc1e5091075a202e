"""The product under measurement: `assent up` as a process of its own, on a folder that is thrown away."""

import asyncio
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from cli.bench.environment import environment
from cli.serve.temporal_place import TemporalPlace
from core.errors import Unavailable
from core.keys import load_ring
from core.temporal import connect

EMAIL = "bench@example.com"
PASSWORD = "a sentence for the bench alone"  # noqa: S105  an account that lives for one run
_PROGRAM = "from cli.main import main; main()"
_READY = "Assent is ready at "
_START_LIMIT = 90.0
_STOP_LIMIT = 15.0
_MANY = "1000000"
_FORGETFUL = {"ASSENT_MEMORY": "false"}
"""Memory has a measurement of its own."""
_LIMITS = {
    "ASSENT_CONVERSATIONS_PER_MINUTE": _MANY,
    "ASSENT_MESSAGES_PER_MINUTE": _MANY,
    "ASSENT_DECISIONS_PER_MINUTE": _MANY,
    "ASSENT_SOCKET_RATE": _MANY,
    "ASSENT_SOCKET_BURST": _MANY,
    "ASSENT_ACCESS_TOKEN_SECONDS": "86400",
}


class Product:
    """Started, killed and started again on the same data."""

    def __init__(self, folder: Path, model_url: str, settings: Mapping[str, str]) -> None:
        """Keep where its data goes and which model it asks."""
        self._data = folder / "data"
        self._log = folder / "up.log"
        self._settings = _LIMITS | {"ASSENT_MODEL_BASE_URL": f"{model_url}/v1", "ASSENT_MODEL_NAME": "instant"}
        self._settings |= {"ASSENT_MODEL_API_KEY": "none", **settings}
        self._process: Process | None = None
        self.url = ""

    async def start(self) -> float:
        """Start it; returns the seconds until it said that it is ready. Raises Unavailable."""
        began = time.perf_counter()
        with self._log.open("ab") as log:
            self._process = await self._run("up", "--no-browser", "--port", "0", stdout=PIPE, stderr=log.fileno())
        if self._process.stdout is None:
            raise Unavailable("The product has no output.")
        line = (await asyncio.wait_for(self._process.stdout.readline(), _START_LIMIT)).decode()
        if not line.startswith(_READY):
            raise Unavailable(f"The product did not start: {self._log.read_text('utf-8', 'replace')[-1500:]}")
        self.url = line.removeprefix(_READY).strip()
        return time.perf_counter() - began

    async def kill(self) -> None:
        """Kill it as a power cut would; returns when it is gone."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and make it when it does not."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_LIMIT)
        except TimeoutError:
            await self.kill()

    @property
    def pid(self) -> int:
        """The id of its process; 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    @property
    def database_url(self) -> str:
        """Where its SQL is, for what is made in bulk."""
        return f"sqlite+aiosqlite:///{self._data / 'assent.db'}"

    async def add_person(self, email: str = EMAIL, role: str = "owner") -> None:
        """Create somebody who measures. Raises Unavailable."""
        process = await self._run(
            *("users", "add", email, "--role", role, "--password-stdin"), stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        _, said = await process.communicate(f"{PASSWORD}\n".encode())
        if process.returncode:
            raise Unavailable(f"{email} could not be created: {said.decode(errors='replace')[-500:]}")

    async def temporal(self) -> Client:
        """Connect to its Temporal server as it does itself. Raises Unavailable."""
        ports = TemporalPlace(self._data).remembered()
        if ports is None:
            raise Unavailable("The product's Temporal server is not known.")
        return await connect(ports.address, "default", load_ring(self._data))

    async def _run(
        self, *arguments: str, stdin: int | None = None, stdout: int | None = None, stderr: int | None = None
    ) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _PROGRAM, *arguments, "--data", str(self._data)),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment(self._settings),
        )


@asynccontextmanager
async def running_product(
    model_url: str, parent: Path | None = None, settings: Mapping[str, str] = _FORGETFUL
) -> AsyncIterator[Product]:
    """Start the product with an owner, its data below `parent`; stop it and remove its data at the end."""
    with tempfile.TemporaryDirectory(prefix="assent-bench-", dir=parent, ignore_cleanup_errors=True) as folder:
        product = Product(Path(folder), model_url, settings)
        try:
            await product.start()
            await product.add_person()
            yield product
        finally:
            await product.stop()
