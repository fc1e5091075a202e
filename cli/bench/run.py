"""Runs the measurements one after the other, tells how far it is, and shows what came out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from cli.bench import consent, events, load, memories, pending, quality, recovery, remembering, turns
from cli.bench.rows import Result
from cli.bench.stage import QUICK, Sizes, Stage, open_stage
from core.errors import AssentError, Invalid, Unavailable

_LIMIT = 120.0
_PATIENCE: Mapping[str, float] = {"recall": 1800.0, "memory": 300.0, "pending": 3600.0}
"""Seconds for a measurement that may be asked to do very much."""
_WIDTH = 140
Measure = Callable[[Stage], Awaitable[Result]]
# The load comes last: what it leaves unanswered would be in everybody's way.
MEASURES: Mapping[str, Measure] = {
    "turn": turns.measure,
    "consent": consent.measure,
    "pending": pending.measure,
    "socket": events.measure_events,
    "conversation": events.measure_conversations,
    "recall": memories.measure,
    "quality": quality.measure,
    "memory": remembering.measure,
    "recovery": recovery.measure,
    "load": load.measure,
}


def bench(
    only: list[str] | None, json_file: Path | None, data: Path | None, memory_counts: list[int] | None, *, quick: bool
) -> None:
    """Measure, show, and write the rows; raises Invalid for an unknown name, Unavailable when something failed."""
    unknown = sorted(set(only or ()) - MEASURES.keys())
    if unknown:
        raise Invalid(f"There is no measurement {', '.join(unknown)}. There are: {', '.join(MEASURES)}.")
    names = [name for name in MEASURES if not only or name in only]
    progress = Console(stderr=True)
    sizes = QUICK if quick else Sizes()
    if memory_counts:
        sizes = replace(sizes, memories=tuple(memory_counts))
    result, faults = asyncio.run(_run(names, sizes, data, progress))
    _show(_wide(), result)
    if json_file is not None:
        json_file.write_text(result.model_dump_json(indent=2) + "\n", "utf-8")
    if faults:
        raise Unavailable("; ".join(faults))


async def _run(names: list[str], sizes: Sizes, data: Path | None, progress: Console) -> tuple[Result, list[str]]:
    result, faults = Result(), list[str]()
    with progress.status("Starting the product ..."):
        began = time.perf_counter()
        async with open_stage(sizes, data) as stage:
            progress.print(f"started in {time.perf_counter() - began:.1f} s (cold, with its owner and the floors)")
            for name in names:
                began = time.perf_counter()
                with progress.status(f"Measuring {name} ..."):
                    found = await _measure(stage, name, faults)
                result += found
                progress.print(f"{name}: {time.perf_counter() - began:.1f} s")
    return result, faults


async def _measure(stage: Stage, name: str, faults: list[str]) -> Result:
    """Measure one; a failure is noted, and the others go on."""
    try:
        limit = _PATIENCE.get(name, _LIMIT)
        async with asyncio.timeout(limit):
            return await MEASURES[name](stage)
    except AssentError as error:
        faults.append(f"{name}: {error.detail}")
    except TimeoutError:
        faults.append(f"{name}: not done in {limit:.0f} s")
    return Result()


def _wide() -> Console:
    """Give a console that cuts no column when its output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def _show(console: Console, result: Result) -> None:
    if result.rows:
        console.print(_row_table(result))
    if result.facts:
        console.print(_fact_table(result))


def _row_table(result: Result) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="milliseconds; ratio is p50 over the floor of the same run")
    table.add_column("what", min_width=30, overflow="fold")
    for name in ("p50", "p95", "p99", "floor", "ratio", "n", "goal", "others"):
        table.add_column(name, justify="right", no_wrap=name not in {"goal", "others"})
    for row in result.rows:
        numbers = (row.p50_ms, row.p95_ms, row.p99_ms, row.floor_ms)
        shown = [f"{number:.1f}" if number is not None else "" for number in numbers]
        ratio = f"{row.ratio:.2f}x" if row.ratio is not None else ""
        table.add_row(row.name, *shown, ratio, str(row.n), row.goal or "", row.reference or "")
    return table


def _fact_table(result: Result) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="counts and rates")
    for name in ("what", "value", "unit", "goal", "others"):
        table.add_column(name, justify="right" if name != "what" else "left")
    for fact in result.facts:
        table.add_row(fact.name, f"{fact.value:g}", fact.unit, fact.goal or "", fact.reference or "")
    return table
