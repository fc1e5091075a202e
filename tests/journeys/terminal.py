"""A person at a terminal: single commands, and a program on a pseudo-terminal that is typed to."""

import asyncio
import json
import os
import pty
import signal
import subprocess
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.journeys.person import EMAIL, LIMIT, PASSWORD
from tests.journeys.product import ASSENT, environment


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        assert self.code == 0, self
        return json.loads(self.out)


class Terminal:
    """One person's command line; their credentials live in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._environment = environment(ASSENT_CLIENT_DIR=str(folder), TERM="xterm", COLUMNS="100", LINES="40")

    async def run(self, *arguments: str, typed: str = "", **settings: str) -> Ran:
        """Run one command to its end."""
        process = await asyncio.create_subprocess_exec(
            *(*ASSENT, *arguments), stdin=PIPE, stdout=PIPE, stderr=PIPE, env=self._environment | settings
        )
        out, err = await asyncio.wait_for(process.communicate(typed.encode("utf-8", "surrogatepass")), LIMIT)
        assert "Traceback" not in err.decode(), err.decode()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def login(self, url: str, email: str = EMAIL, password: str = PASSWORD) -> Ran:
        return await self.run("login", "--url", url, "--email", email, "--password-stdin", typed=f"{password}\n")

    def open(self, *arguments: str) -> "Typewriter":
        return Typewriter(arguments, self._environment)


class Typewriter:
    """A program that believes that a person sits there; use with `async with`."""

    def __init__(self, arguments: tuple[str, ...], variables: dict[str, str]) -> None:
        self._arguments = arguments
        self._variables = variables
        self.seen = ""
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            (*ASSENT, *self._arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=self._variables,
            start_new_session=True, preexec_fn=lambda: _take_terminal(theirs),  # noqa: PLW1509
        )  # fmt: skip
        os.close(theirs)
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def type(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def press_control_c(self) -> None:
        os.write(self._ours, b"\x03")

    def press_control_d(self) -> None:
        os.write(self._ours, b"\x04")

    async def until(self, text: str, *, after: int = 0) -> int:
        """Wait until the text is on the screen after a place; gives the place behind it."""
        async with asyncio.timeout(LIMIT):
            while (place := self.seen.find(text, after)) < 0:
                assert self._process.poll() is None, self.seen
                self._news.clear()
                await self._news.wait()
        return place + len(text)

    async def ended(self) -> int:
        return await asyncio.to_thread(self._process.wait, LIMIT)

    def _read(self) -> None:
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # its side is closed
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._ours)
        self.seen += data.decode("utf-8", "replace")
        self._news.set()


def _take_terminal(descriptor: int) -> None:
    """Make it the controlling terminal, so that Ctrl-C reaches the program as it does in life."""
    import fcntl
    import termios

    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
