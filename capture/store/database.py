"""The database: one engine, transactions that read and transactions that write, migrations.

SQLite runs with WAL, synchronous FULL, foreign keys and secure_delete (SECURITY, "Facts that bite"); writers begin with
BEGIN IMMEDIATE, so that they queue instead of failing half-way.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from capture.errors import Conflict, SettingsError, Unavailable
from capture.store.journal import Journal
from capture.store.vault import Vault, make_folder

MIGRATIONS = Path(__file__).parent / "migrations"
LATEST = max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
"""The revision that this code expects."""
BUSY_SECONDS = 5
"""How long a transaction waits for another before the page says to try again."""
_PRAGMAS = (
    f"busy_timeout={BUSY_SECONDS * 1000}",  # first, since the next one may have to wait
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
)
_MIGRATION_LOCK = 0x63617074757265
"""Names the lock that processes which start at once queue on; SQLite queues them at BEGIN IMMEDIATE."""


class Database:
    """Opens transactions. Every session carries the vault in `session.info["vault"]`."""

    def __init__(self, url: str, vault: Vault, journal: Journal | None = None) -> None:
        self.url = url
        self._vault = vault
        self._journal = journal
        self.engine = _make_engine(url)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self._session(write=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits at the end, or leaves nothing behind; Unavailable when the database stays busy."""
        with self._session(write=True) as session:
            yield session
            if self._journal:  # before the act counts: what was noted and never came to be harms nobody, the other way round would
                session.flush()
                self._journal.note(session.info["endings"])
            session.commit()

    @contextmanager
    def _session(self, *, write: bool) -> Iterator[Session]:
        engine = self.engine.execution_options(capture_write=write)
        with _our_errors(), Session(engine, expire_on_commit=False, info={"vault": self._vault, "endings": []}) as session:
            yield session

    def migrate(self) -> None:
        """Bring the schema to what this code expects, in one transaction. Raises Unavailable as `write` does.

        SettingsError when a newer version has migrated it already. Where nothing is to be done alembic, which takes half a second,
        is not even loaded.
        """
        with _our_errors(), self.engine.begin() as connection:
            if revision_of(connection) == LATEST:
                return
        with self.building() as connection:
            upgrade(connection, LATEST)

    @contextmanager
    def building(self) -> Iterator[Connection]:
        """One transaction that changes the schema, or the whole database: no other of its kind runs beside it."""
        with _our_errors(), self.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"))  # an index may take minutes
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                connection.execute(text(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'"))  # not for who reads
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One look at everything, as it was at one instant, for as long as the block lasts; who writes meanwhile is not held up."""
        options = (
            {} if self.engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        engine = self.engine.execution_options(capture_write=False, **options)
        with _our_errors(), engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT 1 FROM alembic_version"))  # from here on
            yield connection

    def session_on(self, connection: Connection) -> Session:
        """A session inside the transaction that is open there; it commits nothing by itself."""
        return Session(connection, expire_on_commit=False, info={"vault": self._vault, "endings": []})

    def forget_deleted(self) -> bool:
        """Take what was deleted out of SQLite's journal as well; False while someone still reads there: then do it again.

        `secure_delete` empties the pages of what is deleted, but the journal holds them as they were until all of it is in the
        database (SECURITY 41). PostgreSQL does this by itself, in its own time: docs/running.md.
        """
        if self.engine.dialect.name != "sqlite":
            return True
        with _our_errors(), closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout=500")  # who writes waits meanwhile
            try:
                busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as error:
                raise Unavailable(hint=f"the database answers: {error}") from error
            finally:
                cursor.execute(f"PRAGMA {_PRAGMAS[0]}")
        return not busy

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def revision_of(connection: Connection) -> str:
    """The schema's revision; empty where there is no schema."""
    there = inspect(connection).has_table("alembic_version")
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()) if there else ""


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the schema to a revision, in the transaction that is open there. SettingsError when this version does not know it."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError:
        problem = "this database was brought up to date by a newer version than this one"
        raise SettingsError([problem], hint="start that version, or restore the backup made before it") from None


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:  # two at once did what only one may
        raise Conflict from error
    except (DataError, ProgrammingError):  # a mistake of ours
        raise
    except (DatabaseError, InterfaceError, PoolTimeout) as error:
        raise Unavailable(hint=f"the database answers: {getattr(error, 'orig', None) or error}") from error


def _make_engine(url: str) -> Engine:
    if not url.startswith("sqlite:"):
        options = f"-c lock_timeout={BUSY_SECONDS}s -c statement_timeout=30s -c timezone=UTC"
        connect_args = {"connect_timeout": BUSY_SECONDS, "options": options}
        return create_engine(
            url, pool_timeout=BUSY_SECONDS, pool_size=10, pool_pre_ping=True, hide_parameters=True, connect_args=connect_args
        )
    make_folder(Path(url.removeprefix("sqlite:///")).parent)
    engine = create_engine(
        url, pool_size=10, pool_timeout=BUSY_SECONDS, hide_parameters=True, connect_args={"check_same_thread": False}
    )
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # this module says BEGIN itself
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("capture_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def is_empty(engine: Engine) -> bool:
    """Whether the database holds no schema yet."""
    with engine.connect() as connection:
        return not engine.dialect.get_table_names(connection)


def database_exists(url: str) -> bool:
    """Whether there is a database already, so that its keys must be there too."""
    if url.startswith("sqlite:"):
        return Path(url.removeprefix("sqlite:///")).exists()
    engine = _make_engine(url)
    try:
        with _our_errors():
            return not is_empty(engine)
    finally:
        engine.dispose()


def is_alive(database: Database) -> bool:
    """Whether the database answers."""
    with database.read() as session:
        return session.execute(text("SELECT 1")).scalar() == 1


def find_weaknesses(database: Database) -> list[tuple[str, str]]:
    """Where a PostgreSQL keeps less than this service promises: facts, each with what to do about it. None on SQLite."""
    if database.engine.dialect.name != "postgresql":
        return []
    with database.read() as session:
        off = [
            name for name in ("fsync", "full_page_writes", "synchronous_commit") if session.scalar(text(f"SHOW {name}")) == "off"
        ]
        superuser = session.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    found = [(f"{name} is off: a power loss takes photos that were acknowledged", f"ALTER SYSTEM SET {name} = on") for name in off]
    if superuser:
        found.append(("this service is a superuser there", "give it a role of its own that owns its database and nothing else"))
    if not is_line_checked(database.url):
        found.append(("nothing makes sure which server answers", "add ?sslmode=verify-full&sslrootcert=FILE to the address"))
    return found


def is_line_checked(url: str) -> bool:
    """Whether the line to a PostgreSQL is encrypted and its certificate checked, or does not leave this machine."""
    address = make_url(url)
    host = str(address.query.get("host") or address.host or "")
    return host.startswith("/") or host in {"", "localhost", "127.0.0.1", "::1"} or address.query.get("sslmode") == "verify-full"
