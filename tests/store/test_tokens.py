"""Tokens in the database: found by their hash while they work, and never another practice's."""

from datetime import timedelta

import pytest

from capture.domain.tokens import new_token
from capture.errors import NotFound
from capture.store import tokens
from capture.store.database import Database
from capture.store.models import Practice, new_id
from capture.store.practices import insert_practice
from capture.store.tokens import Token
from tests.store.conftest import NOW

YEAR = timedelta(days=365)


def insert(database: Database, practice: Practice, token: str) -> Token:
    with database.write() as db:
        scopes = "requests:read bundles:read"
        return tokens.insert_token(db, practice.id, token, name="EMIS", scopes=scopes, made_by="operator", now=NOW, lifetime=YEAR)


def test_a_token_works_until_it_is_over_or_revoked(database: Database, practice: Practice) -> None:
    """A token is found until the second it ends, or is revoked; what is stored does not hold it (SECURITY 3)."""
    token, other = new_token(), new_token()
    made = insert(database, practice, token)
    insert(database, practice, other)
    with database.write() as db:
        found = tokens.find_live(db, token, NOW)
        assert found
        assert found.id == made.id
        assert found.may("bundles:read")
        assert not found.may("requests:write")
        assert not found.may("requests")
        assert token not in str(vars(found))
        assert tokens.find_live(db, token[:-1], NOW) is None
        assert tokens.find_live(db, token, NOW + YEAR - timedelta(seconds=1))
        assert tokens.find_live(db, token, NOW + YEAR) is None
        assert tokens.revoke(db, practice.id, made.id, NOW)
    with database.write() as db:
        assert not tokens.revoke(db, practice.id, made.id, NOW + YEAR)
        assert tokens.find_live(db, token, NOW) is None
        assert {one.revoked_at for one in tokens.list_tokens(db, practice.id)} == {None, NOW}
        known = {made.id: "EMIS", made.actor: "EMIS"}
        assert tokens.names_of(db, [made.actor, made.id, "operator", "token:x"]) == known
        assert (tokens.count_live(db, practice.id, NOW), tokens.count_live(db, practice.id, NOW + YEAR)) == (1, 0)


def test_another_practice_cannot_revoke_it(database: Database, practice: Practice) -> None:
    """SECURITY 28: a token of another practice is as little there as one that nobody has."""
    made = insert(database, practice, new_token())
    with database.write() as db:
        other = insert_practice(db, ods="A81002", name="Oak", phone="1", now=NOW)
        for practice_id, token_id in ((other.id, made.id), (practice.id, new_id())):
            with pytest.raises(NotFound):
                tokens.revoke(db, practice_id, token_id, NOW)
        assert tokens.list_tokens(db, other.id) == []


def test_use_is_noted_once_a_minute(database: Database, practice: Practice) -> None:
    """Calls that read only read: when a token was used is written down once a minute, and again after the clock went back."""
    token = new_token()
    made = insert(database, practice, token)
    assert tokens.needs_touch(made, NOW)
    with database.write() as db:
        tokens.touch(db, made, NOW)
    with database.read() as db:
        touched = tokens.find_live(db, token, NOW)
    assert touched
    assert touched.used_at == NOW
    seconds = {-1: True, 0: False, 59: False, 60: True}
    assert {after: tokens.needs_touch(touched, NOW + timedelta(seconds=after)) for after in seconds} == seconds
