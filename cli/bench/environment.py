"""The environment of the processes that a run starts: none of the person's own settings, and this very code."""

import os
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return it, with these settings (`ASSENT_*`)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSENT_")}
    path = os.pathsep.join(one for one in (str(_ROOT), os.environ.get("PYTHONPATH")) if one)
    return kept | {"PYTHONPATH": path} | dict(settings or {})
