"""`assent bench --quick`: it runs against a product of its own and prints its rows. No time is asserted."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from cli.bench.rows import Result, row
from cli.bench.run import MEASURES

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 240.0
ROWS = {
    "turn": "plain turn, socket",
    "consent": "decision to tool.started",
    "pending": "second of two votes to tool.started, 20 pending",
    "socket": "socket event, from request to socket (rename)",
    "conversation": "conversation created, REST",
    "recall": "recall among 1,000, 8 at once",
    "quality": "found among the first 5 of 80, by both, of 160 questions",
    "memory": "look into memory, inside a turn",
    "recovery": "killed waiting: ready to decision served",
    "load": "message acknowledged at 50 turns a second",
}


async def bench(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from cli.main import main; main()", "bench", *arguments),
        cwd=ROOT,
        env=dict(os.environ),
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


class TestRow:
    def test_percentiles_are_samples_that_were_measured(self):
        made = row("x", [one / 1000 for one in range(1, 101)])

        assert (made.p50_ms, made.p95_ms, made.p99_ms, made.n) == (50.5, 95, 99, 100)

    def test_one_sample_is_every_percentile(self):
        made = row("x", [0.002])

        assert (made.p50_ms, made.p95_ms, made.p99_ms) == (2, 2, 2)

    def test_the_ratio_is_of_the_medians(self):
        made = row("x", [0.03, 0.03, 0.09], floor=[0.02, 0.02, 0.5])

        assert (made.floor_ms, made.ratio) == (20, 1.5)

    def test_without_a_floor_there_is_no_ratio(self):
        made = row("x", [0.03])

        assert (made.floor_ms, made.ratio) == (None, None)


class TestCommand:
    def test_each_measurement_has_a_row_here(self):
        assert list(ROWS) == list(MEASURES)

    @pytest.mark.server
    async def test_an_unknown_measurement_is_named(self):
        code, _, err = await bench("--only", "nothing")

        assert code == 1
        assert "There is no measurement nothing" in err

    @pytest.mark.server
    async def test_it_measures_and_writes_its_rows(self, tmp_path):
        file = tmp_path / "rows.json"
        code, out, err = await bench("--quick", "--json", str(file), "--data", str(tmp_path))
        result = Result.model_validate(json.loads(file.read_text("utf-8")))
        names = {one.name for one in result.rows} | {one.name for one in result.facts}

        assert code == 0, err
        assert set(ROWS.values()) <= names
        assert all(one.n > 0 and one.p50_ms <= one.p95_ms <= one.p99_ms for one in result.rows)
        assert next(one for one in result.rows if one.name == "plain turn, socket").floor_ms
        assert "history events of a plain turn" in {fact.name for fact in result.facts}
        assert "plain turn, socket" in out
        assert not list(tmp_path.glob("assent-bench-*"))
