"""Who may do what: the person behind a request, and the roles of a workspace."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from core.errors import NotAllowed
from core.ids import Id


class Role(StrEnum):
    """What a person is in a workspace, highest first."""

    OWNER = "owner"
    ADMIN = "admin"
    APPROVER = "approver"
    MEMBER = "member"
    VIEWER = "viewer"


class Door(StrEnum):
    """Through which door somebody came in; a decision keeps it."""

    REST = "rest"
    SOCKET = "socket"
    CLI = "cli"
    WEB = "web"


class Principal(BaseModel):
    """The authenticated person behind a request, in exactly one workspace. Every store query takes one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: Id
    workspace_id: Id
    membership_id: Id
    session_id: Id
    role: Role
    name: str

    def must_be(self, *roles: Role) -> None:
        """Raise NotAllowed when this person has none of the roles."""
        if self.role not in roles:
            message = f"This needs the role {' or '.join(roles)}."
            raise NotAllowed(message)

    @property
    def may_talk(self) -> bool:
        """A viewer reads only."""
        return self.role is not Role.VIEWER
