"""Typed stubs of memory's activities: names and values, no bodies; see `activities`."""

from typing import NoReturn

from temporalio import activity

from core.messages import MemoryDone, MemoryVerdict


def _elsewhere() -> NoReturn:
    message = "activities run in workers"
    raise AssertionError(message)


@activity.defn(name="learn_memory")
async def learn_memory() -> MemoryDone:
    """Bring the index up to what changed in SQL."""
    _elsewhere()


@activity.defn(name="tend_memory")
async def tend_memory() -> MemoryDone:
    """Join files, bring indexes up to date, remove what was erased from the disk."""
    _elsewhere()


@activity.defn(name="rebuild_memory")
async def rebuild_memory() -> MemoryDone:
    """Build the index from SQL, or go on building it."""
    _elsewhere()


@activity.defn(name="wake_memory")
async def wake_memory() -> None:
    """Have the writer tend its files."""
    _elsewhere()


@activity.defn(name="verify_memory")
async def verify_memory() -> MemoryVerdict:
    """Compare the index with SQL."""
    _elsewhere()
