"""The words of messages, for search: FTS5 with triggers on SQLite, a GIN index on PostgreSQL.

On SQLite each message has a number of its own: the implicit rowid of a table may change, and FTS5 keeps to numbers.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SQLITE_UP = (
    "CREATE TABLE message_numbers (number INTEGER PRIMARY KEY, message_id VARCHAR NOT NULL UNIQUE)",
    """
    CREATE VIEW message_texts AS
    SELECT n.number AS number, m.text AS text FROM message_numbers n JOIN messages m ON m.id = n.message_id
    """,
    """
    CREATE VIRTUAL TABLE message_words USING fts5(
        text, content='message_texts', content_rowid='number', tokenize='unicode61 remove_diacritics 2'
    )
    """,
    """
    CREATE TRIGGER messages_words_added AFTER INSERT ON messages BEGIN
        INSERT INTO message_numbers (message_id) VALUES (new.id);
        INSERT INTO message_words (rowid, text)
            SELECT number, new.text FROM message_numbers WHERE message_id = new.id;
    END
    """,
    """
    CREATE TRIGGER messages_words_changed AFTER UPDATE OF text ON messages WHEN old.text IS NOT new.text BEGIN
        INSERT INTO message_words (message_words, rowid, text)
            SELECT 'delete', number, old.text FROM message_numbers WHERE message_id = old.id;
        INSERT INTO message_words (rowid, text)
            SELECT number, new.text FROM message_numbers WHERE message_id = new.id;
    END
    """,
    """
    CREATE TRIGGER messages_words_gone AFTER DELETE ON messages BEGIN
        INSERT INTO message_words (message_words, rowid, text)
            SELECT 'delete', number, old.text FROM message_numbers WHERE message_id = old.id;
        DELETE FROM message_numbers WHERE message_id = old.id;
    END
    """,
    "INSERT INTO message_numbers (message_id) SELECT id FROM messages ORDER BY created_at, id",
    "INSERT INTO message_words (message_words) VALUES ('rebuild')",
)
_SQLITE_DOWN = (
    "DROP TRIGGER messages_words_gone",
    "DROP TRIGGER messages_words_changed",
    "DROP TRIGGER messages_words_added",
    "DROP TABLE message_words",
    "DROP VIEW message_texts",
    "DROP TABLE message_numbers",
)
# A text of more characters would be too long for a tsvector, and no message could be written then.
_POSTGRESQL_UP = ("CREATE INDEX ix_messages_words ON messages USING gin (to_tsvector('simple', left(text, 200000)))",)
_POSTGRESQL_DOWN = ("DROP INDEX ix_messages_words",)


def upgrade() -> None:
    for statement in _SQLITE_UP if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL_UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _SQLITE_DOWN if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL_DOWN:
        op.execute(statement)
