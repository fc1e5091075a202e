"""Ends the test process without the interpreter's shutdown, in which the Temporal SDK sometimes crashes.

See temporalio/sdk-python#300: a green run would end with exit code 134. Everything is reported by then.
"""

import os
import sys

import pytest

_CODE = pytest.StashKey[int]()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember how the run ended."""
    session.config.stash[_CODE] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave at once, but only a process that has loaded the SDK."""
    if _CODE in config.stash and "temporalio.bridge.temporal_sdk_bridge" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[_CODE])
