"""What can go wrong, as one tree.

AssentError
  NotApproved       people, policy or the clock said no; `approval` has all of it
    Rejected
    Expired
    Withdrawn       taken back, or consent to it does not hold any more
  StillPending      nobody had decided when patience ended; the request stays
  AlreadyUsed       the consent was taken before, by somebody else
  ServerError       the server refused: `code`, `status`, `detail`
  Unreachable       no answer in time
  WebhookInvalid    a webhook that is not the server's, or is too old
"""

from assent_client.values import Approval


class AssentError(Exception):
    """Anything that this package raises."""


class NotApproved(AssentError):
    """It must not be done."""

    def __init__(self, message: str, approval: Approval) -> None:
        """Keep the approval as it ended."""
        super().__init__(message)
        self.approval = approval


class Rejected(NotApproved):
    """Somebody, or policy, said no."""


class Expired(NotApproved):
    """Nobody decided in time; that is a no."""


class Withdrawn(NotApproved):
    """It was taken back, or who consented may not do so any more."""


class StillPending(AssentError):
    """Nobody had decided when patience ended; wait on with the same id or client key."""

    def __init__(self, message: str, approval: Approval) -> None:
        """Keep the approval as it stands."""
        super().__init__(message)
        self.approval = approval


class ServerError(AssentError):
    """The server refused."""

    def __init__(self, detail: str, code: str, status: int) -> None:
        """Keep what the problem document says."""
        super().__init__(f"{detail} ({code})")
        self.detail = detail
        self.code = code
        self.status = status


class AlreadyUsed(ServerError):
    """The consent was taken before; it holds once."""


class Unreachable(AssentError):
    """The server gave no answer in time; what was asked may have been kept: ask again under the same client key."""


class WebhookInvalid(AssentError):
    """Not signed with this secret, changed on the way, or too old."""
