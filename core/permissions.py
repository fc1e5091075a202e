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
    OPENAI = "openai"


class Scope(StrEnum):
    """What a token of a program may be used for; a person's own sign-in has no such bounds."""

    READ = "read"
    CHAT = "chat"
    ASK = "ask"
    DECIDE = "decide"
    ADMIN = "admin"


class Principal(BaseModel):
    """The authenticated person behind a request, in exactly one workspace. Every store query takes one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: Id
    workspace_id: Id
    membership_id: Id
    session_id: Id
    role: Role
    name: str
    scopes: frozenset[Scope] | None = None

    @property
    def is_program(self) -> bool:
        """Whether a token stands for the person, who is not there: it has scopes, and `session_id` is the token's."""
        return self.scopes is not None

    def must_be(self, *roles: Role) -> None:
        """Raise NotAllowed when this person has none of the roles, or sent a program that may not use them."""
        if self.role not in roles:
            message = f"This needs the role {' or '.join(roles)}."
            raise NotAllowed(message)
        self.must_have(Scope.ADMIN)

    def must_have(self, scope: Scope) -> None:
        """Raise NotAllowed when a token is behind this that was not made for it."""
        if self.scopes is not None and scope not in self.scopes:
            message = f"This token may not do this: it was made without the scope `{scope}`."
            raise NotAllowed(message, scope=scope)

    def may(self, scope: Scope) -> bool:
        """Whether nothing keeps this from it: a person's own sign-in, or a token made for it."""
        return self.scopes is None or scope in self.scopes

    @property
    def may_talk(self) -> bool:
        """A viewer reads only."""
        return self.role is not Role.VIEWER
