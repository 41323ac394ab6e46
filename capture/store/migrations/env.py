"""Alembic's entry: runs the migrations on the connection it is handed, in the transaction that is open there."""

from alembic import context

from capture.store import deletions as _deletions  # noqa: F401 - its table is part of the schema
from capture.store import invitations, key_changes, key_tests, openid, passkeys, recovery_codes, unlockers  # noqa: F401 - their tables are part of the schema
from capture.store import messages as _messages  # noqa: F401 - likewise
from capture.store import request_templates as _request_templates  # noqa: F401 - likewise
from capture.store import scrubbing as _scrubbing  # noqa: F401 - likewise
from capture.store import tokens as _tokens  # noqa: F401 - likewise
from capture.store import webhooks as _webhooks  # noqa: F401 - likewise
from capture.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,  # SQLite can too, since database.py says BEGIN itself
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
