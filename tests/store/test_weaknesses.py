"""What `capture check` says of a PostgreSQL that keeps less than it should."""

import pytest

from capture.store.database import Database, find_weaknesses, is_line_checked
from capture.store.vault import Vault
from tests.postgres import Postgres


def test_a_database_that_keeps_less(database: Database) -> None:
    """The PostgreSQL of these tests syncs nothing, and its user may do everything: both are told. SQLite is set up by us."""
    facts = [fact for fact, _ in find_weaknesses(database)]
    synced = "fsync is off: a power loss takes photos that were acknowledged"
    assert facts == ([synced, "this service is a superuser there"] if "postgresql" in database.url else [])


def test_a_role_of_its_own_is_enough(postgres: Postgres, vault: Vault) -> None:
    """A role that owns its database and nothing else can migrate, and nothing is said of it."""
    with postgres.connect() as connection:
        connection.execute("CREATE ROLE service LOGIN")
        connection.execute("CREATE DATABASE of_service OWNER service")
    database = Database(postgres.url("of_service").replace("capture@", "service@"), vault)
    database.migrate()
    assert [fact for fact, _ in find_weaknesses(database) if "fsync" not in fact] == []
    database.close()


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("postgresql+psycopg://capture@/capture?host=/run/postgresql", True),
        ("postgresql+psycopg://capture:x@localhost/capture", True),
        ("postgresql+psycopg://capture:x@db.example.nhs.uk/capture", False),
        ("postgresql+psycopg://capture:x@db.example.nhs.uk/capture?sslmode=require", False),
        ("postgresql+psycopg://capture:x@db.example.nhs.uk/capture?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem", True),
    ],
)
def test_the_line_to_another_machine_is_checked(url: str, checked: bool) -> None:
    """A line that leaves this machine is encrypted to a server whose certificate is checked, name and all; less is told."""
    assert is_line_checked(url) is checked
