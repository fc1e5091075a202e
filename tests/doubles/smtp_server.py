"""A real SMTP server (aiosmtpd) in a process of its own, which writes down what it was told before it answers.

Each line of the ledger is on the disk before the answer goes out. `mode` is read anew for each connection:
ok, slow, refuse_rcpt, busy_rcpt, refuse_data, busy_data, drop_rcpt, drop_data (takes it and hangs up), drop_untaken,
hang_mail, hang_data (takes it and says nothing), nonsense (answers 299), greylist (takes it the second time).
"""

import argparse
import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_SLOW_SECONDS = 0.12


class Handler:
    """Answers as the mode says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._greeted: set[str] = set()

    @property
    def mode(self) -> str:
        return (self._folder / "mode").read_text().strip()

    async def _note(self, stage: str, **facts: Any) -> None:
        line = json.dumps({"stage": stage, "at": time.time(), **facts}) + "\n"
        with (self._folder / "ledger").open("a", encoding="utf-8") as ledger:
            ledger.write(line)
            ledger.flush()
            os.fsync(ledger.fileno())
        if self.mode == "slow":
            await asyncio.sleep(_SLOW_SECONDS)

    async def handle_EHLO(self, _server, session, _envelope, hostname, responses):  # noqa: N802 - aiosmtpd's name
        session.host_name = hostname
        await self._note("ehlo")
        return responses

    async def handle_MAIL(self, server, _session, envelope, address, options):  # noqa: N802
        await self._note("mail", sender=address)
        if self.mode == "hang_mail":
            await asyncio.sleep(600)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, _session, envelope, address, options):  # noqa: N802
        await self._note("rcpt", recipient=address)
        if self.mode == "drop_rcpt":
            server.transport.abort()
        if self.mode == "refuse_rcpt" and address.startswith("nobody@"):
            return "550 5.1.1 no such person"
        if self.mode == "busy_rcpt":
            return "451 4.3.0 not now"
        if self.mode == "greylist" and address not in self._greeted:
            self._greeted.add(address)
            return "450 4.2.0 greylisted, try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, _session, envelope):  # noqa: N802
        await self._note("data")
        if self.mode == "refuse_data":
            return "554 5.7.1 not wanted"
        if self.mode == "busy_data":
            return "452 4.3.1 no room"
        if self.mode == "drop_untaken":
            server.transport.abort()
            return "250 never said"
        message = message_from_bytes(envelope.content, policy=default)
        await self._note(
            "queued",
            message_id=str(message["message-id"]),
            recipients=envelope.rcpt_tos,
            raw=envelope.content.decode("utf-8", "replace"),
        )
        if self.mode == "drop_data":
            server.transport.abort()
        if self.mode == "hang_data":
            await asyncio.sleep(600)
        return "299 maybe" if self.mode == "nonsense" else "250 2.0.0 queued"


async def serve(folder: Path, user: str, password: str, tls: str, certificate: str) -> None:
    """Listen on a free port, and write it to the file `port`."""
    from aiosmtpd.smtp import SMTP, AuthResult

    def check(_server, _session, _envelope, _mechanism, data):
        right = (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False) if not right else AuthResult(success=True)

    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    handler = Handler(folder)

    def session():
        return SMTP(
            handler,
            hostname="double.test",
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            auth_required=bool(user),
            auth_require_tls=False,
            authenticator=check if user else None,
            loop=asyncio.get_running_loop(),
        )

    wrapping = context if tls == "implicit" else None
    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=wrapping)
    (folder / "port.new").write_text(str(server.sockets[0].getsockname()[1]))
    (folder / "port.new").rename(folder / "port")
    await asyncio.Event().wait()


@dataclass
class SmtpDouble:
    """The running server, seen from a test."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def be(self, mode: str) -> None:
        (self.folder / "mode.new").write_text(mode)
        (self.folder / "mode.new").rename(self.folder / "mode")

    @property
    def lines(self) -> list[dict[str, Any]]:
        path = self.folder / "ledger"
        whole = path.read_text("utf-8").rpartition("\n")[0] if path.exists() else ""
        return [json.loads(line) for line in whole.splitlines()]

    @property
    def queued(self) -> list[dict[str, Any]]:
        """Every message that it took, in order."""
        return [line for line in self.lines if line["stage"] == "queued"]

    def message(self, number: int = -1) -> EmailMessage:
        found = message_from_bytes(self.queued[number]["raw"].encode(), policy=default)
        assert isinstance(found, EmailMessage)
        return found


@contextlib.contextmanager
def smtp_server(
    folder: Path, *, user: str = "", password: str = "", tls: str = "", certificate: str = ""
) -> Iterator[SmtpDouble]:
    """Run one; `tls`: starttls or implicit, with a file of key and certificate."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mode").write_text("ok")
    told = json.dumps([str(folder), user, password, tls, certificate])
    command = [sys.executable, "-W", "ignore", str(Path(__file__)), told]
    with (folder / "said").open("wb") as said, subprocess.Popen(command, cwd=ROOT, stderr=said) as process:
        try:
            yield SmtpDouble(folder, _port(folder, process), process)
        finally:
            process.kill()


def _port(folder: Path, process: subprocess.Popen[bytes]) -> int:
    until = time.monotonic() + 30
    while not (folder / "port").exists():
        assert process.poll() is None, (folder / "said").read_text()
        assert time.monotonic() < until
        time.sleep(0.02)
    return int((folder / "port").read_text())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("told")
    where, *rest = json.loads(parser.parse_args().told)
    asyncio.run(serve(Path(where), *rest))
