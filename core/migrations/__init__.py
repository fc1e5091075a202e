"""The database's migrations, up and down, on SQLite and PostgreSQL."""
