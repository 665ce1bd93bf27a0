"""What Alembic runs: the migrations, on the connection and in the transaction that it is handed.

There is no alembic.ini; `pipeline.store.migrate` makes the configuration.
"""

from __future__ import annotations

from alembic import context

from pipeline.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
