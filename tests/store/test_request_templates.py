"""Templates of requests, in both databases."""

from datetime import timedelta

import pytest

from capture.errors import NotFound
from capture.store.database import Database
from capture.store.models import Practice
from capture.store.practices import insert_practice
from capture.store.request_templates import find_template, list_templates, put_template
from tests.store.conftest import NOW


def put(database: Database, practice_id: str, name: str = "Mole", **changes: object) -> str:
    values = {"site": "back", "side": "", "protocol": "lesion", "message": "", "days": 7, "now": NOW, **changes}
    with database.write() as db:
        return put_template(db, practice_id, name=name, **values).id  # type: ignore[arg-type]


def test_templates_by_name(database: Database, practice: Practice) -> None:
    """A template is found with all that was saved, the list is in the order of names, and the same name replaces."""
    practice_id = practice.id
    rash, mole = put(database, practice_id, "Rash"), put(database, practice_id)
    again = put(database, practice_id, site="arm", side="left", message="Thank you.", days=3, now=NOW + timedelta(days=1))
    assert again == mole
    with database.read() as db:
        assert [template.id for template in list_templates(db, practice_id)] == [mole, rash]
        found = find_template(db, practice_id, mole)
        assert (found.site, found.side, found.protocol, found.message, found.days) == ("arm", "left", "lesion", "Thank you.", 3)


def test_templates_of_another_practice(database: Database, practice: Practice) -> None:
    """SECURITY 28: another practice's template is not there, in the list or by its id, and the same name is free to both."""
    with database.write() as db:
        other_id = insert_practice(db, ods="B81001", name="Oak Surgery", phone="", now=NOW).id
    ours, theirs = put(database, practice.id), put(database, other_id)
    assert ours != theirs
    with database.read() as db:
        assert [template.id for template in list_templates(db, practice.id)] == [ours]
        for template_id in (theirs, "0" * 32):
            with pytest.raises(NotFound):
                find_template(db, practice.id, template_id)
