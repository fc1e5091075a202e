"""What the Temporal child is started with; every value was measured."""

import os
from pathlib import Path

from cli.serve.temporal_place import LOOPBACK, Ports

# A power cut may drop the last commits of this file; the sweep over our own SQL drives those turns again.
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=5000",
    "wal_autocheckpoint=20000",
    "cache_size=-65536",
    "temp_store=MEMORY",
)
# The server's own values make each step wait up to 50 ms for the next poll of its queue.
DYNAMIC_VALUES = (
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "history.visibilityProcessorMaxPollRPS=200",
    "system.forceSearchAttributesCacheRefreshOnRead=false",
    "system.enableActivityEagerExecution=true",
    'history.workflowIdReuseMinimalInterval="0s"',
    "frontend.rps=20000",
    "frontend.namespaceRPS=20000",
    "frontend.namespaceCount=20000",
    "history.rps=20000",
    "matching.rps=20000",
)


def command_line(program: Path, database: Path, ports: Ports, namespace: str) -> list[str]:
    """Return the whole command of the child."""
    command = [
        str(program), "server", "start-dev",
        "--db-filename", str(database),
        "--ip", LOOPBACK,
        "--port", str(ports.port),
        "--ui-port", str(ports.ui_port),
        "--namespace", namespace,
        "--log-level", "error",
    ]  # fmt: skip
    for pragma in PRAGMAS:
        command += ["--sqlite-pragma", pragma]
    for value in DYNAMIC_VALUES:
        command += ["--dynamic-config-value", value]
    return command


def environment() -> dict[str, str]:
    """Return the child's environment: ours without our secrets, and a lazier garbage collector."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASSENT_", "TEMPORAL_"))}
    return kept | {"GOGC": "400"}
