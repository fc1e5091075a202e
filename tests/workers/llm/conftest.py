"""What tests of models leave behind: sockets of calls that were broken off, which the libraries never close."""

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def swept() -> Iterator[None]:
    """Collect them here, so that no later test is blamed for them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
