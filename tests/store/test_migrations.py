"""The schema: what the migrations make is what the models say, whole or not at all."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, inspect, text

from capture.errors import Unavailable
from capture.settings import ROOT
from capture.store.database import LATEST, MIGRATIONS, Database, database_exists, is_alive, is_empty
from capture.store.models import AuditEvent, AuditHead, Base, Bundle, Delivery, Practice, Request, SessionRow
from capture.store.vault import Vault
from tests.postgres import Postgres


def test_the_head_is_what_the_models_say(database: Database) -> None:
    """After the migrations nothing is left that Alembic would still change to match the models."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_revision_that_is_expected_is_the_last() -> None:
    """What the code takes for the last revision is what Alembic does; with it there Alembic is not asked."""
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [LATEST]


def test_constraints_have_the_models_names(database: Database) -> None:
    """Every table, primary key, unique constraint and foreign key has the name that a later migration will use."""
    found = inspect(database.engine)
    assert set(found.get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    for name, table in Base.metadata.tables.items():
        named = {str(constraint.name) for constraint in table.constraints}
        keys = [*found.get_foreign_keys(name), *found.get_unique_constraints(name), found.get_pk_constraint(name)]
        assert {str(key["name"]) for key in keys} == named


def test_migrating_twice_changes_nothing(database: Database) -> None:
    """A start on a database that is up to date leaves it as it is: one version, one chain of the service."""
    database.migrate()
    with database.read() as db:
        assert db.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1
        assert db.query(AuditHead).count() == 1


def test_two_processes_may_start_at_once(empty_url: str, vault: Vault) -> None:
    """Two that migrate the same empty database at the same time both end with the whole schema."""
    ready = threading.Barrier(2)

    def start(_number: int) -> None:
        database = Database(empty_url, vault)
        try:
            ready.wait()
            database.migrate()
            assert is_alive(database)
        finally:
            database.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(start, range(2)))


def test_migrations_may_take_long(postgres: Postgres, vault: Vault) -> None:
    """What makes an index over ten million rows is not stopped by the time that a page's statement may take."""
    database = Database(postgres.create(), vault)
    limits = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def look(_connection: Any, cursor: Any, statement: str, *_more: object) -> None:
        if statement.startswith("CREATE INDEX"):
            limits.append(cursor.connection.execute("SHOW statement_timeout").fetchone()[0])

    database.migrate()
    assert set(limits) == {"0"}
    with database.read() as db:
        assert db.execute(text("SHOW statement_timeout")).scalar() == "30s"
    database.close()


def test_a_migration_that_fails_half_way_leaves_the_old_schema(empty_url: str, vault: Vault) -> None:
    """The old schema or the new: what stops in the middle leaves no table behind, and the next start makes them all."""
    database = Database(empty_url, vault)

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "CREATE TABLE photos" in statement:
            raise InterruptedError

    event.listen(database.engine, "before_cursor_execute", fail)
    with pytest.raises(InterruptedError):
        database.migrate()
    event.remove(database.engine, "before_cursor_execute", fail)
    assert inspect(database.engine).get_table_names() == []
    database.migrate()
    assert is_alive(database)
    database.close()


def test_whether_there_is_a_database(empty_url: str, vault: Vault) -> None:
    """An empty place holds no database, a migrated one does, and looking makes none."""
    assert not database_exists(empty_url)
    assert not database_exists(empty_url)
    database = Database(empty_url, vault)
    assert is_empty(database.engine)
    database.migrate()
    assert not is_empty(database.engine)
    database.close()
    assert database_exists(empty_url)


def test_from_the_first_tables_on(empty_url: str, vault: Vault) -> None:
    """A practice with requests and sessions that the first version wrote is whole after the upgrade, the new choices made."""
    database = Database(empty_url, vault)
    migrate_to(database, "0001")
    zero, now = "0" * 32, "2026-11-22 10:00:00.000000+00:00"
    with database.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO practices VALUES ('{zero}', 'A81001', 'Elm', '1', 'mac', '{now}')"))
        for number in "12":
            connection.execute(
                text(
                    "INSERT INTO requests (id, practice_id, issue_key, state, receipt, token_hash, dob_hash, guesses, refusals,"
                    " details_sealed, issued_at, expires_at, changed_at)"
                    f" VALUES ('{number * 32}', '{zero}', '{number}', 'sent', 'R{number}', 't{number}', 'd', 0, 0,"
                    f" :sealed, '{now}', '{now}', '{now}')"
                ),
                {"sealed": b"sealed"},
            )
        insert_sent(connection, zero, "2" * 32, now)
        connection.execute(
            text(
                "INSERT INTO sessions (id_hash, kind, practice_id, request_id, created_at, seen_at, expires_at)"
                f" VALUES ('h', 'patient', '{zero}', '{'1' * 32}', '{now}', '{now}', '{now}')"
            )
        )
    database.migrate()
    with database.read() as db:
        practice = db.get_one(Practice, zero)
        assert (practice.name, practice.intimate_allowed) == ("Elm", False)
        rows = db.query(Request).order_by(Request.receipt).all()
        assert [(row.receipt, row.details_sealed, row.hand_over_hash) for row in rows] == [
            ("R1", b"sealed", None),
            ("R2", b"sealed", None),
        ]
        session = db.get_one(SessionRow, "h")
        assert (session.request_id, session.seen_at.year) == ("1" * 32, 2026)
        delivery = db.query(Delivery).one()
        assert (delivery.practice_id, delivery.number, delivery.state, delivery.reference) == (zero, 3, "delivered", "")
        assert delivery.delivered_at == practice.created_at
        assert [event.number for event in db.query(AuditEvent).order_by(AuditEvent.number)] == [2, 3, 4]
        assert db.query(Bundle).one().manifest == b"m"
    database.close()


def insert_sent(connection: Connection, practice_id: str, request_id: str, now: str) -> None:
    """What the first version wrote when a request was sent and delivered: bundle, delivery, and its place in the audit trail."""
    sent = {"practice": practice_id, "request": request_id, "now": now, "m": b"m"}
    for statement in (
        (
            "INSERT INTO bundles (id, practice_id, request_id, manifest, signature, request_part, created_at)"
            " VALUES ('b', :practice, :request, :m, :m, :m, :now)"
        ),
        (
            "INSERT INTO deliveries (id, bundle_id, inbox, state, attempts, fence, due_at, last_error, delivered_at)"
            " VALUES ('d', 'b', 'web', 'delivered', 1, 1, :now, '', :now)"
        ),
    ):
        connection.execute(text(statement), sent)
    for number, action in enumerate(("request confirmed", "request submitted", "request delivered"), 2):
        connection.execute(
            text(
                "INSERT INTO audit (practice_id, number, at, actor, action, subject, facts, previous, hash)"
                f" VALUES (:practice, {number}, :now, 'patient', '{action}', :request, '{{}}', '', '')"
            ),
            sent,
        )


def migrate_to(database: Database, revision: str) -> None:
    """Bring an empty database to the schema of that revision, as an older version left it."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "capture/store/migrations"))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_there_is_one_line_of_migrations() -> None:
    """The migrations have one head, so that an upgrade has one meaning."""
    assert len(ScriptDirectory(ROOT / "capture/store/migrations").get_heads()) == 1


def test_a_server_that_is_not_there_is_unavailable() -> None:
    """A PostgreSQL that does not answer is Unavailable with what it said, not a traceback."""
    with pytest.raises(Unavailable) as caught:
        database_exists("postgresql+psycopg://capture@/none?host=/nowhere")
    assert "the database answers" in (caught.value.hint or "")
