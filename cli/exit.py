"""The one place that ends the process: flushes, then leaves without the interpreter's teardown.

The Temporal SDK's threads can crash an interpreter that is being torn down (temporalio/sdk-python#300: exit code 134 or
139 after work that went well), so no command returns to it.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import IntEnum
from typing import NoReturn

from core.errors import AssentError, Conflict, Misconfigured, Unavailable


class ExitCode(IntEnum):
    """What a command's end means; the large ones are those of sysexits.h."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 69
    IN_USE = 75
    MISCONFIGURED = 78
    INTERRUPTED = 130


class InUse(Conflict):
    """Another process holds what this one needs: the data directory or the port."""

    code, title = "in_use", "In use"


_CODES: tuple[tuple[type[AssentError], ExitCode], ...] = (
    (InUse, ExitCode.IN_USE),
    (Misconfigured, ExitCode.MISCONFIGURED),
    (Unavailable, ExitCode.UNAVAILABLE),
)


def end(code: int) -> NoReturn:
    """End the process now; what was written is flushed, nothing else runs."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    with suppress(Exception):
        logging.shutdown()
    os._exit(code)


def run_to_end(command: Callable[[], object]) -> NoReturn:
    """Run a whole command line and end the process with its code; errors of ours are one sentence on stderr."""
    try:
        command()
    except SystemExit as leaving:
        end(_code_of(leaving))
    except KeyboardInterrupt:
        end(ExitCode.INTERRUPTED)
    except AssentError as error:
        end(_explain(error))
    except BaseExceptionGroup as group:
        end(_explain_group(group))
    except BaseException:  # noqa: BLE001  the last line: nothing is above to handle it
        sys.excepthook(*sys.exc_info())
        end(ExitCode.FAILED)
    end(ExitCode.FINE)


def exit_code(error: AssentError) -> ExitCode:
    """Tell which exit code an error of ours has."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


def _code_of(leaving: SystemExit) -> int:
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    sys.stderr.write(f"{leaving.code}\n")
    return ExitCode.FAILED


def _explain(error: AssentError) -> ExitCode:
    sys.stderr.write(f"assent: {error.detail}\n")
    return exit_code(error)


def _explain_group(group: BaseExceptionGroup[BaseException]) -> ExitCode:
    """Explain the first error of ours in a task group's errors; show all when there is none."""
    for error in _flat(group):
        if isinstance(error, AssentError):
            return _explain(error)
    sys.excepthook(type(group), group, group.__traceback__)
    return ExitCode.FAILED


def _flat(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _flat(one)
    else:
        yield error
