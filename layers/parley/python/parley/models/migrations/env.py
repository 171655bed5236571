"""Alembic's entry: the connection comes from `parley.migrate`, which is the only way in."""

from alembic import context
from sqlmodel import SQLModel

import parley.models  # noqa: F401  (fills the metadata)

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
with context.begin_transaction():
    context.run_migrations()
