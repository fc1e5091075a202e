"""Where the Temporal child lives: its folder in the data directory, and the ports that it keeps over restarts."""

import random
import socket
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import Unavailable

LOOPBACK = "127.0.0.1"
# Below every system's range for outgoing connections: a client that tries to reach a port of that range while nobody
# listens there may connect to itself, and then the server cannot take its port back.
_FIRST, _LAST = 15000, 29999
_TRIES = 200


class Ports(BaseModel):
    """The ports of one Temporal child on loopback."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: int
    ui_port: int

    @property
    def address(self) -> str:
        """`HOST:PORT` for clients."""
        return f"{LOOPBACK}:{self.port}"


class TemporalPlace:
    """The files of the child below DATA/temporal."""

    def __init__(self, data_dir: Path) -> None:
        """Name the files; nothing is made yet."""
        self.folder = data_dir / "temporal"
        self.database = self.folder / "temporal.db"
        self.version = self.folder / "server-version"
        self.lock = self.folder / "lock"
        self.ports_file = self.folder / "ports.json"
        self.log = data_dir / "logs" / "temporal.log"
        self.downloads = data_dir / "temporal" / "download"

    def remembered(self) -> Ports | None:
        """Return the ports of the last start, or None."""
        try:
            return Ports.model_validate_json(self.ports_file.read_bytes())
        except (OSError, ValidationError):
            return None

    def choose_ports(self, ui_port: int | None) -> Ports:
        """Return the ports of the last start where they are free, else others, and remember them."""
        last = self.remembered()
        port = last.port if last and is_free(last.port) else free_port()
        wanted = ui_port or (last.ui_port if last and is_free(last.ui_port) else free_port(port))
        ports = Ports(port=port, ui_port=wanted)
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.ports_file.with_suffix(".draft")
        draft.write_text(ports.model_dump_json(), "utf-8")
        draft.replace(self.ports_file)
        return ports

    def rotate_log(self) -> None:
        """Keep the log of the start before this one beside it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))


def is_served(port: int) -> bool:
    """Tell whether a server listens on this port of loopback; `is_free` would take it from one that begins to."""
    with socket.socket() as caller:
        caller.settimeout(1)
        caller.bind((LOOPBACK, 0))  # a caller that got the very port would reach itself
        return bool(caller.getsockname()[1] != port and caller.connect_ex((LOOPBACK, port)) == 0)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of loopback now."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
            trial.listen(1)
        except OSError:
            return False
    return True


def free_port(*taken: int) -> int:
    """Return a free port of loopback that is none of `taken`."""
    for _ in range(_TRIES):
        port = random.SystemRandom().randint(_FIRST, _LAST)
        if port not in taken and is_free(port):
            return port
    message = "No free port was found on loopback."
    raise Unavailable(message)
