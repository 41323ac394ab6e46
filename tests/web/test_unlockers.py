"""Passkeys that unlock photos: kept for one member, shown to that member, gone with them."""

import pytest
from flask import Flask

from capture.sealing.age import seal_with_passphrase
from capture.services import Services
from capture.store.models import AuditEvent
from capture.store.recipients import list_identities
from capture.store.unlockers import Unlocker
from tests.builders import PASSPHRASE, AMember, APractice, make_member, make_passkey, make_practice, make_submitted, make_unlocker
from tests.builders import make_request as ask
from tests.conftest import Clock
from tests.web.conftest import app_with, session_of
from tests.web.html import Visitor, staff
from tests.web.test_keys import post

PASSKEYS = "/staff/keys/passkeys"
CREDENTIAL = "AGE-PLUGIN-FIDO2PRF-1" + "QPZRY9X8GF" * 8
FILE = seal_with_passphrase(b"stands for what a device would wrap", PASSPHRASE, log_n=4).decode()


@pytest.fixture
def key_id(services: Services, practice: APractice) -> str:
    with services.database.read() as db:
        return list_identities(db, practice.id)[0].id


def test_a_passkey_is_kept_and_offered(
    services: Services, practice: APractice, desk: Visitor, member: AMember, key_id: str
) -> None:
    """SECURITY 37: what the page wrapped is kept as it is, offered with the photos to its member alone, and can be removed."""
    page = post(desk, PASSKEYS, recipient_id=key_id, credential=CREDENTIAL, file=FILE, name="Work laptop")
    assert page.location == PASSKEYS
    assert "Work laptop" in desk.get(PASSKEYS).text
    assert f"{member.name}: Work laptop" in desk.get("/staff/keys").text
    with services.database.read() as db:
        (made,) = db.query(Unlocker)
        assert [row.action for row in db.query(AuditEvent).filter_by(subject=member.id) if "unlocking" in row.action]
    assert desk.get(f"{PASSKEYS}/{made.id}.age").data.decode() == FILE
    bundle = make_submitted(services, ask(services, practice))
    address = f"/staff/bundles/{bundle.id}"
    assert CREDENTIAL in desk.get(address).data.decode()
    other = staff(desk.client.application, session_of(services, make_member(services, practice)))
    assert CREDENTIAL not in other.get(address).data.decode()
    assert other.get(f"{PASSKEYS}/{made.id}.age").status == 404
    assert post(other, f"{PASSKEYS}/{made.id}/remove").status == 404
    assert post(desk, f"{PASSKEYS}/{made.id}/remove").location == PASSKEYS
    assert "You have none yet" in desk.get(PASSKEYS).text


@pytest.mark.parametrize(
    "wrong",
    [
        {"credential": "AGE-SECRET-KEY-PQ-1QQQ"},
        {"credential": ""},
        {"file": "# created: now"},
        {"file": FILE + "x" * 20_000},
        {"name": ""},
    ],
    ids=["a secret key", "no credential", "in clear", "too large", "no name"],
)
def test_what_no_page_makes_is_refused(services: Services, desk: Visitor, key_id: str, wrong: dict[str, str]) -> None:
    """SECURITY 42: a file in clear, a private key in place of a passkey's name, and a form without a name keep nothing."""
    given = {"recipient_id": key_id, "credential": CREDENTIAL, "file": FILE, "name": "Work laptop", **wrong}
    page = post(desk, PASSKEYS, **given)
    assert (page.status, list(page.errors)) == (422, ["keys"])
    with services.database.read() as db:
        assert db.query(Unlocker).count() == 0


def test_another_practices_key(services: Services, desk: Visitor) -> None:
    """SECURITY 28: a passkey for another practice's key is not found."""
    other = make_practice(services, name="Oak Surgery")
    with services.database.read() as db:
        theirs = list_identities(db, other.id)[0].id
    assert post(desk, PASSKEYS, recipient_id=theirs, credential=CREDENTIAL, file=FILE, name="x").status == 404


def test_ten_are_enough(services: Services, desk: Visitor, member: AMember, key_id: str) -> None:
    """A member has at most ten, and reads what to do."""
    for _ in range(10):
        make_unlocker(services, member, key_id)
    page = post(desk, PASSKEYS, recipient_id=key_id, credential=CREDENTIAL, file=FILE, name="x")
    assert "You have 10 of these passkeys" in page.text


def test_it_goes_with_the_member(services: Services, practice: APractice, desk: Visitor, key_id: str) -> None:
    """A member who is taken out of the practice leaves no wrapped key behind; the others keep theirs."""
    leaver, stayer = (make_member(services, practice, role="reader") for _ in range(2))
    make_unlocker(services, leaver, key_id)
    kept = make_unlocker(services, stayer, key_id)
    post(desk, f"/staff/members/{leaver.id}/remove")
    with services.database.read() as db:
        assert [one.id for one in db.query(Unlocker)] == [kept]


def test_who_may(app: Flask, services: Services, practice: APractice, member: AMember, clock: Clock) -> None:
    """SECURITY 26: those who do not open photos have none; adding one needs a sign-in of the last 15 minutes, and a host name."""
    requester = staff(app, session_of(services, make_member(services, practice, role="requester")))
    assert requester.get(PASSKEYS).status == 403
    stale = staff(app, session_of(services, member))
    clock.forward(minutes=16)
    assert "sign out and sign in again" in stale.get(PASSKEYS).text
    assert post(stale, PASSKEYS, name="x").status == 403
    numbered = app_with(services, origin="http://127.0.0.1:8000").test_client()
    numbered.set_cookie("staff", session_of(services, member), domain="127.0.0.1")
    assert "need the service to have a name" in numbered.get(PASSKEYS, base_url="http://127.0.0.1:8000").text


def test_signing_in_is_another_passkey(services: Services, desk: Visitor, member: AMember) -> None:
    """A passkey that signs in is not listed as one that unlocks."""
    make_passkey(services, member)
    assert "You have none yet" in desk.get(PASSKEYS).text
