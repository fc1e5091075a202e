"""Workspaces, the people in them, how they signed in and which accounts elsewhere are theirs."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from core.tables.base import JsonColumn, UtcDateTime


class Workspace(SQLModel, table=True):
    """The tenant: everything belongs to exactly one. `operation_mode`: `core.values.OperationMode`."""

    __tablename__ = "workspaces"

    id: str = Field(primary_key=True)
    name: str
    operation_mode: str = "assisted"
    mode_changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    mode_changed_by: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)


class User(SQLModel, table=True):
    """A person, or (`kind` service) a program with a place of its own; e-mail is stored in lower case.

    `quiet`: hours in which chat prompts wait, `{from, to}` in the person's time zone.
    """

    __tablename__ = "users"

    id: str = Field(primary_key=True)
    email: str = Field(unique=True)
    name: str
    kind: str = "person"
    password_hash: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    preferences: dict[str, str] | None = Field(default=None, sa_type=JsonColumn)
    quiet: dict[str, str] | None = Field(default=None, sa_type=JsonColumn)
    created_at: datetime = Field(sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Membership(SQLModel, table=True):
    """A person in a workspace; its id names the person's inbox stream there. `manager_id`: the user they report to.

    `person_id` names the user who this person is too, as owners or admins of this workspace stated: several accounts of
    one person count as one in its quorums.
    """

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("workspace_id", "user_id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    user_id: str = Field(foreign_key="users.id", index=True)
    role: str
    manager_id: str | None = None
    person_id: str | None = Field(default=None, index=True)
    last_seq: int = 0
    epoch: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Invitation(SQLModel, table=True):
    """A single-use way into a workspace for one e-mail address; only the token's hash is kept."""

    __tablename__ = "invitations"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id", index=True)
    email: str
    role: str
    token_hash: str = Field(unique=True)
    invited_by: str = Field(foreign_key="users.id")
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    accepted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Session(SQLModel, table=True):
    """One sign-in: the family of the refresh tokens that followed from it. Revoking it ends all of them.

    `proved_at`: when the person last proved who they are (`proved_by`: password, totp, passkey, oidc).
    """

    __tablename__ = "sessions"

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="users.id", index=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    label: str = ""
    proved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    proved_by: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RefreshToken(SQLModel, table=True):
    """One link of a session's chain; used twice means stolen, and revokes the family."""

    __tablename__ = "refresh_tokens"

    token_hash: str = Field(primary_key=True)
    session_id: str = Field(foreign_key="sessions.id", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ApiToken(SQLModel, table=True):
    """A long-lived key of a person for programs; only its hash is kept, and `hint`, its last characters.

    `scopes` bound what it may be used for; `last_used_at` may be a minute old.
    """

    __tablename__ = "api_tokens"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    user_id: str = Field(foreign_key="users.id", index=True)
    name: str
    token_hash: str = Field(unique=True)
    hint: str
    scopes: list[str] = Field(sa_type=JsonColumn)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_by: str | None = None
