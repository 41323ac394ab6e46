"""What PostgreSQL does for each statement of a query: whether it reads a table from end to end, and how many rows it looks at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg import ClientCursor
from sqlalchemy import event
from sqlalchemy.orm import Session

from capture.store.database import Database
from tests.store.asked import Asked
from tests.store.queries import Query


class Undo(Exception):
    """Leaves nothing behind."""


@contextmanager
def undone(database: Database) -> Iterator[Session]:
    """A transaction that is taken back at its end."""
    try:
        with database.write() as db:
            yield db
            db.flush()
            raise Undo
    except Undo:
        pass


@dataclass
class Plans:
    """What was seen: the tables read from end to end, with the statement; the rows looked at by the statement that saw most; the
    pages of 8 kB that all statements touched, in memory or on disk.
    """

    scans: list[str] = field(default_factory=list)
    rows: int = 0
    pages: int = 0

    def take(self, statement: str, node: dict[str, Any]) -> int:
        """Look at a node of a plan and those under it; the rows that they looked at."""
        kind, table = node["Node Type"], node.get("Relation Name", "")
        whole = kind == "Seq Scan" or (kind.startswith("Index") and "Index Cond" not in node)
        loops, limited = node["Actual Loops"], node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        seen = loops * (limited + node.get("Rows Removed by Index Recheck", 0)) if kind.endswith("Scan") else 0
        if whole and table and loops:
            self.scans.append(f"{table}: {statement}")
        return int(seen) + sum(self.take(statement, below) for below in node.get("Plans", ()))


def plans_of(database: Database, query: Query, asked: Asked, *, strict: bool = False) -> Plans:
    """Run a query and look at what each of its statements does, in a transaction that is taken back.

    `strict`: a table is read from end to end only where there is no other way, however small it is.
    """
    plans = Plans()

    def look(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        if executemany or not statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            return
        with ClientCursor(cursor.connection) as beside:
            beside.execute("SAVEPOINT plans")
            beside.execute(f"SET LOCAL enable_seqscan = {'off' if strict else 'on'}")
            beside.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
            (found,) = beside.fetchone() or ([],)
            beside.execute("ROLLBACK TO plans")
        plan = found[0]["Plan"]
        plans.rows = max(plans.rows, plans.take(" ".join(statement.split()), plan))
        plans.pages += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    event.listen(database.engine, "before_cursor_execute", look)
    try:
        with undone(database) as db:
            query(db, asked)
    finally:
        event.remove(database.engine, "before_cursor_execute", look)
    return plans
