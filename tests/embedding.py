"""The Python of the embedder's own environment, for tests with the real one: named, or set up once."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "embed.py"
NAMED = "ASSENT_EMBED_PYTHON"


def find_embed_python() -> Path:
    """Return it; where the environment does not name one, `./assent test` has set one up, or it is done now."""
    if named := os.environ.get(NAMED):
        return Path(named)
    done = subprocess.run([sys.executable, "-I", SCRIPT], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())
