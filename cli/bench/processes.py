"""What the product's processes use, as Linux counts it: resident memory, CPU time."""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Use:
    """Megabytes resident and CPU seconds since the start: of the product, and of its Temporal server."""

    product_mb: float
    product_cpu: float
    temporal_mb: float
    temporal_cpu: float


def use_of(pid: int) -> Use | None:
    """Count the process and its children; None where the system does not tell."""
    if not (_PROC / str(pid) / "stat").exists():
        return None
    product_mb = product_cpu = temporal_mb = temporal_cpu = 0.0
    for one in _family(pid):
        megabytes, seconds = _counted(one)
        if _is_temporal(one):
            temporal_mb, temporal_cpu = temporal_mb + megabytes, temporal_cpu + seconds
        else:
            product_mb, product_cpu = product_mb + megabytes, product_cpu + seconds
    return Use(product_mb, product_cpu, temporal_mb, temporal_cpu)


def _family(pid: int) -> list[int]:
    parents = {int(one.name): _parent(int(one.name)) for one in _PROC.iterdir() if one.name.isdigit()}
    family = [pid]
    for member in family:  # grows while it is read: children of children are found, too
        family += [one for one, parent in parents.items() if parent == member]
    return family


def _fields(pid: int) -> list[str]:
    """Give the fields of `/proc/PID/stat` after the name (proc(5)), which may itself hold blanks and brackets."""
    try:
        return (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _counted(pid: int) -> tuple[float, float]:
    fields = _fields(pid)
    if not fields:
        return 0.0, 0.0
    ticks = int(fields[11]) + int(fields[12])
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE, ticks / os.sysconf("SC_CLK_TCK")


def _is_temporal(pid: int) -> bool:
    try:
        return b"start-dev" in (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
