"""Alembic's entry: runs the wanted revisions on the connection that the runner gives."""

from alembic import context
from sqlmodel import SQLModel

from core import tables
from core.migrations.drawn import is_modelled

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    include_name=is_modelled,
    render_as_batch=True,
    transactional_ddl=True,
)
_TABLES = tables  # imported, so that they are in the metadata
context.run_migrations()
