"""Named crash points, inert unless the environment names one.

`ASSENT_FAULT_POINT=name[:n]` kills the process at its n-th pass of that point.
"""

import os
import signal
from collections import Counter

VARIABLE = "ASSENT_FAULT_POINT"
_passes: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Kill this process with SIGKILL when the environment asks for it here; otherwise do nothing."""
    wanted, _, count = os.environ.get(VARIABLE, "").partition(":")
    if wanted != name:
        return
    _passes[name] += 1
    if _passes[name] >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
