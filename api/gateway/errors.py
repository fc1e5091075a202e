"""What only sockets can get wrong."""

from typing import Any

from pydantic_core import to_jsonable_python

from core.errors import AssentError, Conflict, Invalid


class UnknownEvent(Invalid):
    """Nobody here listens to an event of this name."""

    code, title = "unknown_event", "Unknown event"


class ResyncRequired(Conflict):
    """What was missed cannot be replayed: fetch the state, then join without `after_seq`."""

    code, title = "resync_required", "Fetch again"


class ProtocolError(Exception):
    """A client broke the protocol; `kind` is counted, what it sent is never logged."""

    def __init__(self, kind: str, *, forged: bool = False) -> None:
        """Keep the kind; a forged one ends the connection at once."""
        super().__init__(kind)
        self.kind = kind
        self.forged = forged


def problem(error: AssentError) -> dict[str, Any]:
    """Write an error as the member `error` of an acknowledgement."""
    more: dict[str, Any] = to_jsonable_python(error.more, fallback=str)
    return {"code": error.code, "detail": error.detail, **more}


def refusal(error: AssentError) -> dict[str, Any]:
    """Write the acknowledgement that refuses."""
    return {"ok": False, "error": problem(error)}
