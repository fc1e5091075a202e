"""Python's collector of garbage, kept away from what lives as long as the process.

While modules are imported it looks through all of them again and again, a third of a start's CPU time; later a full
look at them stops everything for a quarter of a second, in the middle of somebody's turn.
"""

import gc


def rest() -> None:
    """Collect nothing while the process starts."""
    gc.disable()


def resume() -> None:
    """Collect again, and leave out all that is there by now."""
    gc.freeze()
    gc.enable()
