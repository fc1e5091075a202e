"""Approvals, the decisions that people sent about them, and the policies they were asked under."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.tables.base import JsonColumn, UtcDateTime


class Approval(SQLModel, table=True):
    """A request for people's consent to one exact tool call, or to what an outside program is about to do.

    `bound` is what the digest covers, `plan` a `core.consent.ConsentPlan`, `deciders` the people who may decide now as
    `{user_id, name}`, `votes` how it stands, `secrets` what is masked of the arguments (`core.masking`).
    `generation` counts requests for one call: a void one is asked again.
    `revision` counts edits of the arguments. `batch` is the same for like requests that come together. An outside
    request (`origin` service) has no call, turn or conversation; `client_key` makes sending it twice the same as once,
    `asked` is the rest of what its program sent (`core.store.asks.Asked`), `schema_` what its arguments have to fit,
    `claim` under which key it was taken to run, `outcome` what the program said came of it.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        Index(None, "workspace_id", "state", "created_at", "id"),
        UniqueConstraint("tool_call_id", "generation"),
        UniqueConstraint("requester_id", "client_key"),
    )

    id: str = Field(primary_key=True)
    origin: str = "turn"
    tool_call_id: str | None = Field(default=None, foreign_key="tool_calls.id")
    generation: int = 0
    turn_id: str | None = Field(default=None, foreign_key="turns.id", index=True)
    conversation_id: str | None = Field(default=None, index=True)
    workspace_id: str
    requester_id: str
    requester_person_id: str | None = None
    action: str
    risk: str
    title: str
    arguments: dict[str, Any] = Field(sa_type=JsonColumn)
    secrets: list[list[str]] | None = Field(default=None, sa_type=JsonColumn)
    preview: dict[str, Any] = Field(sa_type=JsonColumn)
    reason: str | None = None
    rule: str = ""
    policy_version: int = 0
    plan: dict[str, Any] = Field(sa_type=JsonColumn)
    deciders: list[dict[str, Any]] = Field(default_factory=list, sa_type=JsonColumn)
    stage: int = 0
    revision: int = 0
    edited_by: str | None = None
    votes: list[dict[str, Any]] = Field(default_factory=list, sa_type=JsonColumn)
    escalated_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    bound: dict[str, Any] = Field(sa_type=JsonColumn)
    digest: str
    batch: str | None = None
    state: str
    expires_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    opened_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_by: str | None = None
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decision_id: str | None = None
    decided_door: str | None = None
    comment: str | None = None
    consumed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    schema_: dict[str, Any] | None = Field(default=None, sa_column_kwargs={"name": "schema"}, sa_type=JsonColumn)
    client_key: str | None = None
    callback_url: str | None = None
    asked: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    claim: str | None = None
    outcome: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)


class ApprovalParty(SQLModel, table=True):
    """One way to be entitled to decide an approval: the index behind "what may I decide".

    `kind`: role, group or user; `value`: the role, or an id. The requester is a user here. Rows are of the running
    stage and, once it is escalated, of whom it was escalated to; they are written anew at each change.
    """

    __tablename__ = "approval_parties"
    __table_args__ = (Index(None, "kind", "value"),)

    approval_id: str = Field(primary_key=True, foreign_key="approvals.id")
    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)


class Decision(SQLModel, table=True):
    """One person's answer, stored as `received` before anybody hears of it; that alone authorises nothing.

    `made` is the rest of `core.messages.DecisionMade`, as the server resolved the person then. `arguments`: what the
    person changed them to; `revision` is what a worker made of that. `remember`: "always allow", as asked for.
    """

    __tablename__ = "decisions"
    __table_args__ = (Index(None, "state", "created_at"),)

    id: str = Field(primary_key=True)
    approval_id: str = Field(foreign_key="approvals.id", index=True)
    user_id: str = Field(foreign_key="users.id")
    role: str
    door: str
    assurance: str = "L2"
    update_id: str = Field(unique=True)
    verdict: str
    digest: str
    comment: str | None = None
    made: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    arguments: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    revision: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    remember: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    state: str = "received"
    refusal: str | None = None
    detail: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Seen(SQLModel, table=True):
    """That somebody was shown an approval: when and through which door; the first time counts."""

    __tablename__ = "approvals_seen"

    approval_id: str = Field(primary_key=True, foreign_key="approvals.id")
    user_id: str = Field(primary_key=True, foreign_key="users.id")
    door: str
    at: datetime = Field(sa_type=UtcDateTime)


class Grant(SQLModel, table=True):
    """What "always allow" gave: one person's calls of one action pass unasked while arguments fit, and only so often.

    `patterns`: by argument, what it must be (`core.policy.grants`). A change of the action's schema ends it.
    """

    __tablename__ = "grants"
    __table_args__ = (Index(None, "workspace_id", "action"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    user_id: str = Field(foreign_key="users.id")
    action: str
    schema_digest: str
    patterns: dict[str, Any] = Field(sa_type=JsonColumn)
    approval_id: str | None = None
    granted_by: str
    uses_left: int | None = None
    uses: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_by: str | None = None


class Delegation(SQLModel, table=True):
    """What "while I am away" gave: for a time one person decides in place of another, within `risks` and `actions`."""

    __tablename__ = "delegations"
    __table_args__ = (Index(None, "workspace_id", "to_user_id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    from_user_id: str = Field(foreign_key="users.id")
    to_user_id: str = Field(foreign_key="users.id")
    risks: list[str] | None = Field(default=None, sa_type=JsonColumn)
    actions: list[str] | None = Field(default=None, sa_type=JsonColumn)
    note: str | None = None
    starts_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_by: str | None = None


class Policy(SQLModel, table=True):
    """One version of a workspace's rules; without a row the built-in rules, version 0, hold.

    `body` is a `core.policy.PolicyDocument`, `source` the YAML it was written as, if it was.
    """

    __tablename__ = "policies"
    __table_args__ = (UniqueConstraint("workspace_id", "version"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    version: int
    body: dict[str, Any] = Field(sa_type=JsonColumn)
    source: str | None = None
    note: str | None = None
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
