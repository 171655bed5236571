"""Alembic's entry: the connection comes from `parley.migrate`, which is the only way in."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
