"""Consent: plans, votes, grants, delegations, policies; groups, identities, proofs; what goes out and comes in."""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _empty_what_nobody_used()
    plans = _plans_of_old_approvals()
    op.create_table(
        "audit_published",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("mac", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "target", name=op.f("pk_audit_published")),
    )
    op.create_table(
        "ceremonies",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("session_id", sa.String(), nullable=True),
        sa.Column("body", _JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ceremonies")),
    )
    op.create_table(
        "channel_cursors",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("position", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel", "account", name=op.f("pk_channel_cursors")),
    )
    op.create_table(
        "inbound",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("thread", sa.String(), nullable=False),
        sa.Column("body", _JSON, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound")),
        sa.UniqueConstraint("channel", "account", "event_id", name=op.f("uq_inbound_channel_account_event_id")),
    )
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inbound_state_due_at"), ["state", "due_at"], unique=False)

    op.create_table(
        "link_failures",
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("who", name=op.f("pk_link_failures")),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=True),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("shown_as", sa.String(), nullable=False),
        sa.Column("thread", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_links_code_hash")),
    )
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_links_user_id"), ["user_id"], unique=False)

    op.create_table(
        "service_health",
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("breaker", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connector", "host", name=op.f("pk_service_health")),
    )
    op.create_table(
        "delegations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("from_user_id", sa.String(), nullable=False),
        sa.Column("to_user_id", sa.String(), nullable=False),
        sa.Column("risks", _JSON, nullable=True),
        sa.Column("actions", _JSON, nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["from_user_id"], ["users.id"], name=op.f("fk_delegations_from_user_id")),
        sa.ForeignKeyConstraint(["to_user_id"], ["users.id"], name=op.f("fk_delegations_to_user_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_delegations_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegations")),
    )
    with op.batch_alter_table("delegations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_delegations_workspace_id_to_user_id"), ["workspace_id", "to_user_id"], unique=False
        )

    op.create_table(
        "grants",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("schema_digest", sa.String(), nullable=False),
        sa.Column("patterns", _JSON, nullable=False),
        sa.Column("approval_id", sa.String(), nullable=True),
        sa.Column("granted_by", sa.String(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_grants_user_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_grants_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_grants_workspace_id_action"), ["workspace_id", "action"], unique=False)

    op.create_table(
        "groups",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_groups_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("workspace_id", "name", name=op.f("uq_groups_workspace_id_name")),
    )
    op.create_table(
        "imported_connectors",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("manifest", _JSON, nullable=False),
        sa.Column("source", _JSON, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("enabled", _JSON, nullable=False),
        sa.Column("risks", _JSON, nullable=False),
        sa.Column("connection_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_imported_connectors_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imported_connectors")),
    )
    with op.batch_alter_table("imported_connectors", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_imported_connectors_updated_at"), ["updated_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_imported_connectors_workspace_id"), ["workspace_id"], unique=False)

    op.create_table(
        "oidc_accounts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_oidc_accounts_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oidc_accounts")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_oidc_accounts_issuer_subject")),
    )
    with op.batch_alter_table("oidc_accounts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_oidc_accounts_user_id"), ["user_id"], unique=False)

    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("credential_id", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.Integer(), nullable=False),
        sa.Column("transports", _JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passkeys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    with op.batch_alter_table("passkeys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_passkeys_user_id"), ["user_id"], unique=False)

    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_recovery_codes_code_hash")),
    )
    with op.batch_alter_table("recovery_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recovery_codes_user_id"), ["user_id"], unique=False)

    op.create_table(
        "totps",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_totps_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totps")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", _JSON, nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_why", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_webhooks_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhooks_user_id"), ["user_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_webhooks_workspace_id"), ["workspace_id"], unique=False)

    op.create_table(
        "group_members",
        sa.Column("group_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_group_members_group_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_group_members_user_id")),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_group_members")),
    )
    with op.batch_alter_table("group_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_group_members_user_id"), ["user_id"], unique=False)

    op.create_table(
        "call_questions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tool_call_id", sa.String(), nullable=False),
        sa.Column("leg", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("approval_id", sa.String(), nullable=True),
        sa.Column("body", _JSON, nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tool_call_id"], ["tool_calls.id"], name=op.f("fk_call_questions_tool_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_questions")),
        sa.UniqueConstraint("approval_id", name=op.f("uq_call_questions_approval_id")),
        sa.UniqueConstraint("tool_call_id", "leg", "place", name=op.f("uq_call_questions_tool_call_id_leg_place")),
    )
    op.create_table(
        "approval_parties",
        sa.Column("approval_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name=op.f("fk_approval_parties_approval_id")),
        sa.PrimaryKeyConstraint("approval_id", "kind", "value", name=op.f("pk_approval_parties")),
    )
    with op.batch_alter_table("approval_parties", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_approval_parties_kind_value"), ["kind", "value"], unique=False)

    op.create_table(
        "approvals_seen",
        sa.Column("approval_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("door", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name=op.f("fk_approvals_seen_approval_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_approvals_seen_user_id")),
        sa.PrimaryKeyConstraint("approval_id", "user_id", name=op.f("pk_approvals_seen")),
    )
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.add_column(sa.Column("origin", sa.String(), nullable=False, server_default="turn"))
        batch_op.add_column(sa.Column("generation", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("requester_person_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("secrets", _JSON, nullable=True))
        batch_op.add_column(sa.Column("rule", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("policy_version", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("plan", _JSON, nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("deciders", _JSON, nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("stage", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("edited_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("votes", _JSON, nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("batch", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("schema", _JSON, nullable=True))
        batch_op.add_column(sa.Column("client_key", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("callback_url", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("asked", _JSON, nullable=True))
        batch_op.add_column(sa.Column("claim", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("outcome", _JSON, nullable=True))
        batch_op.alter_column("tool_call_id", existing_type=sa.VARCHAR(), nullable=True)
        batch_op.alter_column("turn_id", existing_type=sa.VARCHAR(), nullable=True)
        batch_op.alter_column("conversation_id", existing_type=sa.VARCHAR(), nullable=True)
        batch_op.drop_index(batch_op.f("ix_approvals_workspace_id_state_id"))
        batch_op.drop_constraint(batch_op.f("uq_approvals_tool_call_id"), type_="unique")
        batch_op.create_index(batch_op.f("ix_approvals_conversation_id"), ["conversation_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_approvals_workspace_id_state_created_at_id"),
            ["workspace_id", "state", "created_at", "id"],
            unique=False,
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_approvals_requester_id_client_key"), ["requester_id", "client_key"]
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_approvals_tool_call_id_generation"), ["tool_call_id", "generation"]
        )
        batch_op.drop_column("approvers")

    with op.batch_alter_table("bindings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mirrors", sa.Boolean(), nullable=False, server_default=sa.true()))

    with op.batch_alter_table("connections", schema=None) as batch_op:
        batch_op.add_column(sa.Column("settings", _JSON, nullable=True))
        batch_op.add_column(sa.Column("created_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("assurance", sa.String(), nullable=False, server_default="L2"))
        batch_op.add_column(sa.Column("made", _JSON, nullable=True))
        batch_op.add_column(sa.Column("arguments", _JSON, nullable=True))
        batch_op.add_column(sa.Column("revision", _JSON, nullable=True))
        batch_op.add_column(sa.Column("remember", _JSON, nullable=True))

    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=False))
        batch_op.add_column(sa.Column("ref", sa.String(), nullable=False))
        batch_op.add_column(sa.Column("user_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("body", _JSON, nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("token_hash", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("shown", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("due_at", sa.DateTime(timezone=True), nullable=False))
        batch_op.alter_column("conversation_id", existing_type=sa.VARCHAR(), nullable=True)
        batch_op.drop_index(batch_op.f("ix_deliveries_state"))
        batch_op.create_index(batch_op.f("ix_deliveries_state_due_at"), ["state", "due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_deliveries_user_id"), ["user_id"], unique=False)
        batch_op.create_unique_constraint(
            batch_op.f("uq_deliveries_kind_ref_channel_account_thread"), ["kind", "ref", "channel", "account", "thread"]
        )
        batch_op.create_unique_constraint(batch_op.f("uq_deliveries_token_hash"), ["token_hash"])

    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.add_column(sa.Column("workspace_id", sa.String(), nullable=False))
        batch_op.add_column(sa.Column("shown_as", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("thread", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("conversation_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("broken_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_identities_workspace_id"), "workspaces", ["workspace_id"], ["id"])

    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.add_column(sa.Column("manager_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("person_id", sa.String(), nullable=True))
        batch_op.create_index(batch_op.f("ix_memberships_person_id"), ["person_id"], unique=False)

    with op.batch_alter_table("policies", schema=None) as batch_op:
        batch_op.add_column(sa.Column("source", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("note", sa.String(), nullable=True))

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("proved_by", sa.String(), nullable=True))

    with op.batch_alter_table("tool_calls", schema=None) as batch_op:
        batch_op.add_column(sa.Column("secrets", _JSON, nullable=True))
        batch_op.add_column(sa.Column("grant_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("connection_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("edited_by", sa.String(), nullable=True))

    with op.batch_alter_table("turns", schema=None) as batch_op:
        batch_op.add_column(sa.Column("direct", _JSON, nullable=True))
        batch_op.add_column(sa.Column("untrusted_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=False, server_default="person"))
        batch_op.add_column(sa.Column("quiet", _JSON, nullable=True))

    with op.batch_alter_table("workspaces", schema=None) as batch_op:
        batch_op.add_column(sa.Column("operation_mode", sa.String(), nullable=False, server_default="assisted"))
        batch_op.add_column(sa.Column("mode_changed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("mode_changed_by", sa.String(), nullable=True))
    _keep(plans)


def downgrade() -> None:
    _empty_what_nobody_used()
    _drop_what_has_no_turn()
    approvers = _approvers_of_plans()
    with op.batch_alter_table("workspaces", schema=None) as batch_op:
        batch_op.drop_column("mode_changed_by")
        batch_op.drop_column("mode_changed_at")
        batch_op.drop_column("operation_mode")

    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_column("quiet")
        batch_op.drop_column("kind")

    with op.batch_alter_table("turns", schema=None) as batch_op:
        batch_op.drop_column("untrusted_at")
        batch_op.drop_column("direct")

    with op.batch_alter_table("tool_calls", schema=None) as batch_op:
        batch_op.drop_column("edited_by")
        batch_op.drop_column("connection_id")
        batch_op.drop_column("grant_id")
        batch_op.drop_column("secrets")

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_column("proved_by")
        batch_op.drop_column("proved_at")

    with op.batch_alter_table("policies", schema=None) as batch_op:
        batch_op.drop_column("note")
        batch_op.drop_column("source")

    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_memberships_person_id"))
        batch_op.drop_column("person_id")
        batch_op.drop_column("manager_id")

    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_identities_workspace_id"), type_="foreignkey")
        batch_op.drop_column("broken_at")
        batch_op.drop_column("conversation_id")
        batch_op.drop_column("thread")
        batch_op.drop_column("shown_as")
        batch_op.drop_column("workspace_id")

    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_deliveries_token_hash"), type_="unique")
        batch_op.drop_constraint(batch_op.f("uq_deliveries_kind_ref_channel_account_thread"), type_="unique")
        batch_op.drop_index(batch_op.f("ix_deliveries_user_id"))
        batch_op.drop_index(batch_op.f("ix_deliveries_state_due_at"))
        batch_op.create_index(batch_op.f("ix_deliveries_state"), ["state"], unique=False)
        batch_op.alter_column("conversation_id", existing_type=sa.VARCHAR(), nullable=False)
        batch_op.drop_column("due_at")
        batch_op.drop_column("shown")
        batch_op.drop_column("version")
        batch_op.drop_column("token_hash")
        batch_op.drop_column("body")
        batch_op.drop_column("user_id")
        batch_op.drop_column("ref")
        batch_op.drop_column("kind")

    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.drop_column("remember")
        batch_op.drop_column("revision")
        batch_op.drop_column("arguments")
        batch_op.drop_column("made")
        batch_op.drop_column("assurance")

    with op.batch_alter_table("connections", schema=None) as batch_op:
        batch_op.drop_column("removed_at")
        batch_op.drop_column("created_by")
        batch_op.drop_column("settings")

    with op.batch_alter_table("bindings", schema=None) as batch_op:
        batch_op.drop_column("mirrors")

    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("approvers", _JSON, nullable=False, server_default='{"requester": false, "roles": ["owner"]}')
        )
        batch_op.drop_constraint(batch_op.f("uq_approvals_tool_call_id_generation"), type_="unique")
        batch_op.drop_constraint(batch_op.f("uq_approvals_requester_id_client_key"), type_="unique")
        batch_op.drop_index(batch_op.f("ix_approvals_workspace_id_state_created_at_id"))
        batch_op.drop_index(batch_op.f("ix_approvals_conversation_id"))
        batch_op.create_unique_constraint(batch_op.f("uq_approvals_tool_call_id"), ["tool_call_id"])
        batch_op.create_index(
            batch_op.f("ix_approvals_workspace_id_state_id"), ["workspace_id", "state", "id"], unique=False
        )
        batch_op.alter_column("conversation_id", existing_type=sa.VARCHAR(), nullable=False)
        batch_op.alter_column("turn_id", existing_type=sa.VARCHAR(), nullable=False)
        batch_op.alter_column("tool_call_id", existing_type=sa.VARCHAR(), nullable=False)
        batch_op.drop_column("outcome")
        batch_op.drop_column("claim")
        batch_op.drop_column("asked")
        batch_op.drop_column("callback_url")
        batch_op.drop_column("client_key")
        batch_op.drop_column("schema")
        batch_op.drop_column("batch")
        batch_op.drop_column("escalated_at")
        batch_op.drop_column("votes")
        batch_op.drop_column("edited_by")
        batch_op.drop_column("revision")
        batch_op.drop_column("stage")
        batch_op.drop_column("deciders")
        batch_op.drop_column("plan")
        batch_op.drop_column("policy_version")
        batch_op.drop_column("rule")
        batch_op.drop_column("secrets")
        batch_op.drop_column("requester_person_id")
        batch_op.drop_column("generation")
        batch_op.drop_column("origin")

    op.drop_table("approvals_seen")
    with op.batch_alter_table("approval_parties", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_approval_parties_kind_value"))

    op.drop_table("approval_parties")
    op.drop_table("call_questions")
    with op.batch_alter_table("group_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_group_members_user_id"))

    op.drop_table("group_members")
    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhooks_workspace_id"))
        batch_op.drop_index(batch_op.f("ix_webhooks_user_id"))

    op.drop_table("webhooks")
    op.drop_table("totps")
    with op.batch_alter_table("recovery_codes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_recovery_codes_user_id"))

    op.drop_table("recovery_codes")
    with op.batch_alter_table("passkeys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_passkeys_user_id"))

    op.drop_table("passkeys")
    with op.batch_alter_table("oidc_accounts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_oidc_accounts_user_id"))

    op.drop_table("oidc_accounts")
    with op.batch_alter_table("imported_connectors", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_imported_connectors_workspace_id"))
        batch_op.drop_index(batch_op.f("ix_imported_connectors_updated_at"))

    op.drop_table("imported_connectors")
    op.drop_table("groups")
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_grants_workspace_id_action"))

    op.drop_table("grants")
    with op.batch_alter_table("delegations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delegations_workspace_id_to_user_id"))

    op.drop_table("delegations")
    op.drop_table("service_health")
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_links_user_id"))

    op.drop_table("links")
    op.drop_table("link_failures")
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_inbound_state_due_at"))

    op.drop_table("inbound")
    op.drop_table("channel_cursors")
    op.drop_table("ceremonies")
    op.drop_table("audit_published")
    _give(approvers)


_UNUSED = ("deliveries", "identities", "bindings", "connections", "policies")


def _empty_what_nobody_used() -> None:
    for table in _UNUSED:
        op.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - names of ours


def _plans_of_old_approvals() -> list[dict[str, object]]:
    """Read who might decide what, before the column goes."""
    columns = "id, requester_id, workspace_id, approvers"
    found = []
    for row in op.get_bind().execute(sa.text(f"SELECT {columns} FROM approvals")).mappings():  # noqa: S608
        said = row["approvers"]
        approvers = json.loads(said) if isinstance(said, str) else said
        found.append({**row, "requester": bool(approvers.get("requester")), "roles": list(approvers.get("roles", ()))})
    return found


def _keep(old: list[dict[str, object]]) -> None:
    """Write it down as plans, with the index of who may decide."""
    bind = op.get_bind()
    approvals = sa.table("approvals", sa.column("id"), sa.column("plan", _JSON), sa.column("deciders", _JSON))
    parties = sa.table("approval_parties", sa.column("approval_id"), sa.column("kind"), sa.column("value"))
    for row in old:
        party = {"requester": row["requester"], "roles": row["roles"], "groups": [], "users": []}
        plan = {"stages": [{"name": "", "needs": [{"party": party, "count": 1}]}]}
        values = {"plan": plan, "deciders": _deciders(bind, row)}
        bind.execute(sa.update(approvals).where(approvals.c.id == row["id"]).values(**values))
        ways = [("role", role) for role in row["roles"]]  # type: ignore[attr-defined]
        ways += [("user", row["requester_id"])] * bool(row["requester"])
        if ways:
            bind.execute(
                sa.insert(parties), [{"approval_id": row["id"], "kind": kind, "value": value} for kind, value in ways]
            )


def _deciders(bind: sa.Connection, row: dict[str, object]) -> list[dict[str, object]]:
    statement = sa.text(
        "SELECT u.id, u.name, m.role FROM memberships m JOIN users u ON u.id = m.user_id"
        " WHERE m.workspace_id = :workspace AND m.disabled_at IS NULL AND u.disabled_at IS NULL ORDER BY m.id"
    )
    people = bind.execute(statement, {"workspace": row["workspace_id"]})
    asker = row["requester_id"] if row["requester"] else None
    return [{"user_id": one, "name": name} for one, name, role in people if role in row["roles"] or one == asker][:50]  # type: ignore[operator]


def _drop_what_has_no_turn() -> None:
    """Requests of outside programs, and those asked once more, have no place in the older form."""
    gone = "SELECT id FROM approvals WHERE tool_call_id IS NULL OR generation > 0"
    for table in ("approval_parties", "approvals_seen", "decisions"):
        op.execute(sa.text(f"DELETE FROM {table} WHERE approval_id IN ({gone})"))  # noqa: S608
    op.execute(sa.text("DELETE FROM approvals WHERE tool_call_id IS NULL OR generation > 0"))


def _approvers_of_plans() -> dict[str, dict[str, object]]:
    """Read who may decide as the older form can say it: one party; of what asks more, owners alone may."""
    found: dict[str, dict[str, object]] = {}
    for row in op.get_bind().execute(sa.text("SELECT id, plan FROM approvals")).mappings():
        plan = json.loads(row["plan"]) if isinstance(row["plan"], str) else row["plan"]
        stages = plan.get("stages", [])
        needs = stages[0]["needs"] if len(stages) == 1 and not plan.get("exclude_requester") else []
        party = needs[0]["party"] if len(needs) == 1 and needs[0].get("count", 1) == 1 else {}
        if party and not party.get("groups") and not party.get("users"):
            found[row["id"]] = {"requester": bool(party.get("requester")), "roles": list(party.get("roles", ()))}
    return found


def _give(approvers: dict[str, dict[str, object]]) -> None:
    approvals = sa.table("approvals", sa.column("id"), sa.column("approvers", _JSON))
    for one, said in approvers.items():
        op.execute(sa.update(approvals).where(approvals.c.id == one).values(approvers=said))
