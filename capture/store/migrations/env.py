"""Alembic's entry: runs the migrations in one transaction on the engine it is handed."""

from alembic import context

from capture.store.models import Base

with context.config.attributes["engine"].connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        transactional_ddl=True,  # SQLite can too, since database.py says BEGIN itself
        transaction_per_migration=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
