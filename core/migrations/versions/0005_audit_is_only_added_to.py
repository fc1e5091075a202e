"""The audit trail is only added to: the database itself refuses to change or remove its rows.

Nothing of the product does either: no retention, no forgetting, no new key touches a row that was written. Whoever
owns the database can drop these triggers; that rows were changed then shows in the chain. On SQLite a table that is
made anew (`batch_alter_table`) loses its triggers: a later revision that alters `audit` draws them again.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# `INSERT OR REPLACE` removes a row without telling the trigger of DELETE.
_SQLITE_UP = (
    """
    CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END
    """,
    """
    CREATE TRIGGER audit_not_removed BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END
    """,
    """
    CREATE TRIGGER audit_not_replaced BEFORE INSERT ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE workspace_id = new.workspace_id AND number = new.number)
    BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END
    """,
)
_SQLITE_DOWN = (
    "DROP TRIGGER audit_not_replaced",
    "DROP TRIGGER audit_not_removed",
    "DROP TRIGGER audit_not_changed",
)
_POSTGRESQL_UP = (
    """
    CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit trail is only added to' USING ERRCODE = 'restrict_violation'; END $$
    """,
    """
    CREATE TRIGGER audit_not_changed BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_refuse()
    """,
    """
    CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
    """,
)
_POSTGRESQL_DOWN = (
    "DROP TRIGGER audit_not_emptied ON audit",
    "DROP TRIGGER audit_not_changed ON audit",
    "DROP FUNCTION audit_refuse()",
)


def upgrade() -> None:
    for statement in _SQLITE_UP if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL_UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _SQLITE_DOWN if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL_DOWN:
        op.execute(statement)
