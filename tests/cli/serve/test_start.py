"""A start imports only what everybody needs: the rest comes with whoever uses it."""

import subprocess
import sys

PROGRAM = """
import sys
import api.app, cli.serve.up, workers.main
print(*[name for name in ("mcp", "mcp_types", "authlib", "lancedb", "torch", "numpy") if name in sys.modules])
"""


def test_what_few_use_is_not_imported():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
