"""The environment of the processes that a run starts: none of the person's own settings, and this very code."""

import os
from collections.abc import Mapping
from pathlib import Path

from core.errors import Unavailable

_ROOT = Path(__file__).resolve().parents[2]
_EMBED_PYTHON = "ASSENT_EMBED_PYTHON"


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return it, with these settings (`ASSENT_*`)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSENT_")}
    path = os.pathsep.join(one for one in (str(_ROOT), os.environ.get("PYTHONPATH")) if one)
    return kept | {"PYTHONPATH": path} | dict(settings or {})


def embed_python() -> Path:
    """Give the Python with the embedder's packages: the named one, else that of this folder. Raises Unavailable."""
    named = os.environ.get(_EMBED_PYTHON)
    found = Path(named) if named else _ROOT / ".assent" / "embed" / "bin" / "python"
    if not found.exists():
        raise Unavailable(f"The embedder's packages are not installed: start Assent once, or set {_EMBED_PYTHON}.")
    return found
