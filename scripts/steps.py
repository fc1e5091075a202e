"""Runs the steps of a check one after another, each with its time, and remembers which failed."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".assent" / "venv" / "bin"
PYTHON = str(BIN / "python")
GENERATORS = ("settings_table", "events_table", "cli_reference")

STATIC: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ruff check", (str(BIN / "ruff"), "check", "--quiet", ".")),
    ("ruff format", (str(BIN / "ruff"), "format", "--quiet", "--check", ".")),
    ("mypy", (str(BIN / "mypy"), "--no-error-summary")),
    ("import-linter", (str(BIN / "lint-imports"), "--no-logo", "--cache-dir", ".assent/arrows")),
    ("connectors", (PYTHON, "-m", "scripts.check_connectors")),
    *((f"generated: {name}", (PYTHON, "-m", f"scripts.{name}", "--check")) for name in GENERATORS),
)
LOCKS = ("locks", (PYTHON, "-m", "scripts.lock", "--check"))


def run(name: str, command: tuple[str, ...]) -> bool:
    """Run one step; its output is shown only when it fails."""
    print(f"{name} ... ", end="", file=sys.stderr, flush=True)
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    verdict = "failed" if done.returncode else "ok"
    print(f"{verdict} ({time.monotonic() - began:.1f} s)", file=sys.stderr, flush=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr, flush=True)
    return done.returncode == 0


def failures(steps: tuple[tuple[str, tuple[str, ...]], ...]) -> list[str]:
    """Run all steps, failing or not; return the names of those that failed."""
    return [name for name, command in steps if not run(name, command)]


def pytest(*arguments: str) -> int:
    """Run pytest with its output shown; return its exit code."""
    return subprocess.run((PYTHON, "-m", "pytest", *arguments), cwd=ROOT, check=False).returncode
