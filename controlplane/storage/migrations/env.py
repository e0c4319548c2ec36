"""Run by alembic, for each command, on the connection that storage/migrate.py hands over."""

from alembic import context

from controlplane.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    # SQLite's DDL is transactional once it is not the driver that begins.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
