"""What a command writes into the data directory is for whoever runs it alone, whatever the folder's own mode is."""

import os
from pathlib import Path

_OTHERS = 0o077


def keep_private() -> None:
    """Let every file and folder that this process and its children make be closed to the group and to others."""
    os.umask(_OTHERS)


def open_private(folder: Path) -> None:
    """Make the data directory unless it is there, and keep private what comes into it."""
    keep_private()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
