"""Groups of people, their accounts elsewhere, and the other ways in which they prove who they are."""

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from core.tables.base import JsonColumn, UtcDateTime


class Group(SQLModel, table=True):
    """People of a workspace under one name, which a policy may ask."""

    __tablename__ = "groups"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    name: str
    title: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)


class GroupMember(SQLModel, table=True):
    """A person in a group."""

    __tablename__ = "group_members"

    group_id: str = Field(primary_key=True, foreign_key="groups.id")
    user_id: str = Field(primary_key=True, foreign_key="users.id", index=True)
    added_by: str
    added_at: datetime = Field(sa_type=UtcDateTime)


class Identity(SQLModel, table=True):
    """An account of a person on one channel, by its immutable id there.

    `account` is the channel's own account or workspace, `thread` the private chat in which the person is reached,
    `workspace_id` the workspace whose conversations they hold there, `shown_as` the name there, which may change.
    A broken one (the bot was blocked, say) gets no prompts until the person writes again.
    """

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("channel", "account", "external_id"),)

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="users.id", index=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    channel: str
    account: str
    external_id: str
    shown_as: str = ""
    thread: str | None = None
    conversation_id: str | None = None
    linked_at: datetime = Field(sa_type=UtcDateTime)
    broken_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Link(SQLModel, table=True):
    """A link under way between a user and an account on a channel; only the hash of its code is kept.

    Web first: `user_id` is known, the code is typed in the chat, and the chat confirms. Chat first (`kind` pairing):
    the account is known, the code is typed on the web, which shows the account before the person confirms.
    """

    __tablename__ = "links"

    id: str = Field(primary_key=True)
    kind: str
    code_hash: str = Field(unique=True)
    workspace_id: str | None = None
    user_id: str | None = Field(default=None, index=True)
    channel: str
    account: str = ""
    external_id: str | None = None
    shown_as: str = ""
    thread: str | None = None
    state: str = "open"
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class LinkFailure(SQLModel, table=True):
    """Wrong codes in a row of one sender or one user, and until when nothing of theirs is looked at."""

    __tablename__ = "link_failures"

    who: str = Field(primary_key=True)
    count: int = 0
    locked_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)


class Totp(SQLModel, table=True):
    """A person's authenticator app (RFC 6238): an encrypted secret; `last_step` keeps a code from counting twice."""

    __tablename__ = "totps"

    user_id: str = Field(primary_key=True, foreign_key="users.id")
    key_id: str
    ciphertext: bytes
    last_step: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RecoveryCode(SQLModel, table=True):
    """One of the codes for a person who lost their authenticator app; only its hash is kept, and it works once."""

    __tablename__ = "recovery_codes"

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="users.id", index=True)
    code_hash: str = Field(unique=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Passkey(SQLModel, table=True):
    """A person's WebAuthn credential."""

    __tablename__ = "passkeys"

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="users.id", index=True)
    name: str
    credential_id: str = Field(unique=True)
    public_key: bytes
    sign_count: int = 0
    transports: list[str] = Field(sa_type=JsonColumn)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Ceremony(SQLModel, table=True):
    """A sign-in or a proof under way: a WebAuthn challenge, or a trip to an OIDC provider. Used once."""

    __tablename__ = "ceremonies"

    id: str = Field(primary_key=True)
    kind: str
    user_id: str | None = None
    session_id: str | None = None
    body: dict[str, Any] = Field(sa_type=JsonColumn)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OidcAccount(SQLModel, table=True):
    """A person's account with an OpenID provider: `issuer` and `subject` together never change."""

    __tablename__ = "oidc_accounts"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="users.id", index=True)
    issuer: str
    subject: str
    email: str | None = None
    linked_at: datetime = Field(sa_type=UtcDateTime)
