"""The database as lines of text, the same for SQLite and PostgreSQL: what a backup holds of it, and how it becomes one again.

Each table is a file. Its first line names the columns with their kinds, each other line is a row: a JSON list in which bytes are
base64 and times ISO 8601 in UTC. The schema's revision goes beside it, so that a later version can build that schema, fill it, and
bring it up to date.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, DateTime, LargeBinary, MetaData, Table, select

from capture.store.database import LATEST, upgrade

LEFT_OUT = frozenset({"alembic_version", "sessions"})
"""Sessions are not kept: whoever was signed in signs in again, and no session that was ended comes back."""
PARTS = "photos"
"""The table whose rows name sealed parts; its rows come request by request."""
_AT_ONCE = 500


def tables_of(connection: Connection) -> list[Table]:
    """The tables that are kept, each behind those that it refers to."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


def dump(connection: Connection, table: Table) -> Iterator[bytes]:
    """A table's lines, a few hundred rows in memory at a time."""
    kinds = [_kind(column.type) for column in table.columns]
    yield _line([[column.name, kind] for column, kind in zip(table.columns, kinds, strict=True)])
    query = select(table).order_by(*([table.c.request_id] if table.name == PARTS else []))
    with connection.execute(query.execution_options(yield_per=_AT_ONCE)) as rows:
        for row in rows:
            yield _line([_encode(value) for value in row])


def has_tables(connection: Connection) -> bool:
    """Whether there is a database already."""
    return bool(connection.dialect.get_table_names(connection))


def build(connection: Connection, revision: str, lines_of: Callable[[str], Iterator[bytes]]) -> None:
    """Make the schema of that revision, fill its tables, and bring it up to date, in the transaction that is open there."""
    upgrade(connection, revision)
    for table in tables_of(connection):
        connection.execute(table.delete())  # what the migrations put there
        rows = rows_of(lines_of(table.name))
        while some := list(islice(rows, _AT_ONCE)):
            connection.execute(table.insert(), some)
    upgrade(connection, LATEST)


def rows_of(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The rows that a table's lines say, by the names of their columns."""
    every = iter(lines)
    columns = [(name, kind) for name, kind in json.loads(next(every))]
    for line in every:
        yield {name: _decode(kind, value) for (name, kind), value in zip(columns, json.loads(line), strict=True)}


def _kind(column_type: Any) -> str:
    return "bytes" if isinstance(column_type, LargeBinary) else "time" if isinstance(column_type, DateTime) else "plain"


def _encode(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):  # SQLite gives them without their zone, which is UTC
        return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    return value


def _decode(kind: str, value: Any) -> Any:
    if value is None or kind == "plain":
        return value
    return base64.b64decode(value, validate=True) if kind == "bytes" else datetime.fromisoformat(value)


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"
