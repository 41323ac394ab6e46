"""Keys: set up and proved in the browser (here Python's own sealing stands for it), changed by two people, tried again."""

import base64
from dataclasses import replace
from typing import Any, cast

import pytest
from flask import Flask

from capture.actions.submit import submit
from capture.errors import AgeError
from capture.sealing.age import open_sealed, seal_with_passphrase
from capture.sealing.keys import Identity, write_identity_file
from capture.services import Services
from capture.store.messages import MessageRow
from capture.store.models import AuditEvent, RecipientRow
from capture.store.recipients import current_recipients, insert_recipient, list_identities, retire_again, write_mac
from tests.builders import (
    PASSPHRASE,
    AMember,
    APractice,
    agree_patient,
    bundle_of,
    make_key_change,
    make_member,
    make_practice,
    make_request,
    make_submitted,
    photos_of,
    take_photo,
)
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.html import ORIGIN, Page, Visitor, staff

KEYS, SET_UP = "/staff/keys", "/staff/keys/set-up"
SAME = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


def post(visitor: Visitor, path: str, **values: str) -> Page:
    """Send a form from the keys pages."""
    return visitor.open("POST", path, data={"csrf_token": visitor.csrf("/staff/"), **values}, headers=SAME)


def identity_file(services: Services, identity: Identity) -> str:
    """The key file as the page would send it."""
    text = write_identity_file(identity, services.clock(), services.signing_key.verifying_key)
    return seal_with_passphrase(text.encode(), PASSPHRASE, log_n=4).decode()


def prove(visitor: Visitor, identity: Identity, **drill: str) -> Page:
    """Open the test of this identity's key, as the page does, and send what was in it."""
    tests = post(visitor, f"{KEYS}/tests", **drill).json
    (sealed,) = [test["sealed"] for test in tests if test["fingerprint"] == identity.recipient.fingerprint]
    return post(visitor, f"{KEYS}/answers", answer=open_sealed(base64.b64decode(sealed), [identity]).decode(), **drill)


def actions(services: Services, practice: APractice) -> list[str]:
    with services.database.read() as db:
        events = db.query(AuditEvent).filter_by(practice_id=practice.id).order_by(AuditEvent.number)
        return [event.action for event in events if "key" in event.action]


@pytest.fixture
def bare(services: Services) -> APractice:
    """A practice that has no keys yet."""
    return make_practice(services, with_keys=False, name="Birch Surgery")


@pytest.fixture
def manager(app: Flask, services: Services, bare: APractice) -> Visitor:
    return staff(app, session_of(services, make_member(services, bare)))


def test_five_steps(services: Services, bare: APractice, manager: Visitor) -> None:
    """SECURITY 34: key, recovery sheet, a test opened by each, then live: only then can the practice ask, and all is on record."""
    missing = manager.get("/staff/requests/new")
    assert (missing.status, missing.heading) == (503, "Your practice cannot ask for photos yet")
    assert manager.get(missing.link("Set up the keys")).heading == "Set up your keys"
    assert "needs JavaScript" in manager.get(SET_UP).text
    sent = {"recipient": str(bare.identity.recipient), "identity_file": identity_file(services, bare.identity)}
    for _ in range(2):  # twice, as an impatient person sends it
        assert manager.follow(post(manager, f"{SET_UP}/staff", **sent)).heading == "Set up your keys"
    post(manager, f"{SET_UP}/recovery", recipient=str(bare.recovery.recipient))
    prove(manager, bare.identity)
    assert post(manager, f"{SET_UP}/live").status == 409
    prove(manager, bare.recovery)
    assert post(manager, f"{SET_UP}/live").location == KEYS
    assert manager.get("/staff/requests/new").status == 200
    assert manager.get(SET_UP).location == KEYS
    shown = manager.get(KEYS).text
    assert "tried by Robin Reception" in shown
    assert actions(services, bare) == ["key added"] * 2 + ["key proved"] * 2 + ["keys in use"]
    make_submitted(services, make_request(services, bare))


def test_a_wrong_answer_proves_nothing(services: Services, bare: APractice, manager: Visitor) -> None:
    """SECURITY 34: a guessed answer, one that was given before and one that came too late leave the key unproved."""
    post(manager, f"{SET_UP}/staff", recipient=str(bare.identity.recipient), identity_file=identity_file(services, bare.identity))
    page = post(manager, f"{KEYS}/answers", answer="A" * 26)
    assert (page.status, list(page.errors)) == (422, ["keys"])
    (test,) = post(manager, f"{KEYS}/tests").json
    answer = open_sealed(base64.b64decode(test["sealed"]), [bare.identity]).decode()
    assert post(manager, f"{KEYS}/answers", answer=answer).status == 303
    assert post(manager, f"{KEYS}/answers", answer=answer).status == 422
    with services.database.read() as db:
        assert db.query(RecipientRow).filter_by(practice_id=bare.id).one().used_from is None


def test_an_answer_that_is_late(services: Services, bare: APractice, app: Flask, clock: Clock) -> None:
    """A test waits seven days for its answer and no longer; another practice's answer is none of ours (SECURITY 28)."""
    member = make_member(services, bare)
    visitor = staff(app, session_of(services, member))
    post(visitor, f"{SET_UP}/staff", recipient=str(bare.identity.recipient), identity_file=identity_file(services, bare.identity))
    (test,) = post(visitor, f"{KEYS}/tests").json
    answer = open_sealed(base64.b64decode(test["sealed"]), [bare.identity]).decode()
    other = staff(app, session_of(services, make_member(services, make_practice(services, with_keys=False))))
    assert post(other, f"{KEYS}/answers", answer=answer).status == 422
    clock.forward(days=7, seconds=1)
    later = staff(app, session_of(services, member))
    assert post(later, f"{KEYS}/answers", answer=answer).status == 422


def test_what_is_no_key_is_refused(services: Services, bare: APractice, manager: Visitor) -> None:
    """Something that is no key, a file in clear, and the same key twice are refused with a sentence, and nothing is kept."""
    key, file = str(bare.identity.recipient), identity_file(services, bare.identity)
    clear = write_identity_file(bare.identity, services.clock())
    page = post(manager, f"{SET_UP}/staff", recipient="age1pq1nonsense", identity_file=file)
    assert (page.status, list(page.errors)) == (422, ["keys"])
    for wrong in (clear, file + "x" * 20_000):
        assert post(manager, f"{SET_UP}/staff", recipient=key, identity_file=wrong).status == 403
    post(manager, f"{SET_UP}/staff", recipient=key, identity_file=file)
    assert post(manager, f"{SET_UP}/staff", recipient=str(bare.recovery.recipient), identity_file=file).status == 409
    with services.database.read() as db:
        assert [row.recipient for row in db.query(RecipientRow).filter_by(practice_id=bare.id)] == [key]


def test_beginning_anew(services: Services, bare: APractice, manager: Visitor, desk: Visitor) -> None:
    """Keys that nothing was sealed to can be thrown away, tests and all; those of a practice that asks cannot (SECURITY 35)."""
    post(manager, f"{SET_UP}/staff", recipient=str(bare.identity.recipient), identity_file=identity_file(services, bare.identity))
    prove(manager, bare.identity)
    assert post(manager, f"{SET_UP}/anew").location == SET_UP
    with services.database.read() as db:
        assert db.query(RecipientRow).filter_by(practice_id=bare.id).count() == 0
    assert post(desk, f"{SET_UP}/anew").status == 409
    assert post(desk, f"{SET_UP}/live").status == 409
    given = {"recipient": str(bare.identity.recipient), "identity_file": identity_file(services, bare.identity)}
    assert post(desk, f"{SET_UP}/staff", **given).status == 409


def test_staff_who_do_not_manage(app: Flask, services: Services, bare: APractice) -> None:
    """Only managers set keys up; others read who does, and that they cannot ask."""
    for role in ("reader", "requester"):
        visitor = staff(app, session_of(services, make_member(services, bare, role=role)))
        assert visitor.get(SET_UP).status == 403
        assert "A manager of the practice does that" in visitor.get("/staff/").text
    assert "A manager of your practice sets them up" in visitor.get("/staff/requests/new").text


@pytest.fixture
def second(app: Flask, services: Services, practice: APractice) -> Visitor:
    """Another member of the practice, who reads, signed in."""
    return staff(app, session_of(services, make_member(services, practice, name="Kim Second", role="reader")))


def propose(services: Services, desk: Visitor, practice: APractice, new: Identity) -> str:
    """A manager makes a key in place of the practice's own, and tries it: the path of the change."""
    with services.database.read() as db:
        (old,) = list_identities(db, practice.id)
    sent = {"recipient": str(new.recipient), "identity_file": identity_file(services, new), "kind": "staff", "replaces": old.id}
    page = post(desk, f"{KEYS}/changes", **sent)
    assert page.status == 303
    return page.location


def test_rotation_takes_two(app: Flask, services: Services, practice: APractice, desk: Visitor, second: Visitor) -> None:
    """SECURITY 35: proposed, tried, compared and confirmed by another person; whoever proposed cannot confirm; everyone is told."""
    new = Identity.generate()
    path = propose(services, desk, practice, new)
    assert "A change of your practice’s keys waits" in second.get("/staff/").text
    assert "waits for a second person" not in desk.get("/staff/").text
    assert post(second, f"{path}/confirm", compared="yes").status == 409  # not tried yet
    assert prove(desk, new).location == path
    assert post(desk, f"{path}/confirm", compared="yes").status == 403
    assert list(post(second, f"{path}/confirm").errors) == ["compared"]
    with services.database.read() as db:
        assert str(new.recipient) not in {row.recipient for row in current_recipients(db, practice.id)}
    assert "Confirmed by Kim Second" in second.follow(post(second, f"{path}/confirm", compared="yes")).text
    with services.database.read() as db:
        keys = {row.recipient for row in current_recipients(db, practice.id)}
    assert keys == {str(new.recipient), str(practice.recovery.recipient)}
    assert actions(services, practice)[-4:] == ["key added", "key change proposed", "key proved", "key change confirmed"]
    third = staff(app, session_of(services, make_member(services, practice, name="Lee Third", role="requester")))
    assert "keys of your practice were changed" in third.get("/staff/").text
    shown = third.get("/staff/").find("input", name="until").get("value", "")
    post(third, f"{KEYS}/changes/seen", until=shown)
    assert "keys of your practice were changed" not in third.get("/staff/").text


def test_after_rotation(services: Services, practice: APractice, desk: Visitor, second: Visitor) -> None:
    """SECURITY 38: what was sealed before opens with the retired key, and nothing that arrives later does."""
    before = make_submitted(services, make_request(services, practice))
    new = Identity.generate()
    path = propose(services, desk, practice, new)
    prove(desk, new)
    post(second, f"{path}/confirm", compared="yes")
    after = make_submitted(services, make_request(services, practice))
    assert open_sealed(before.request_part, [practice.identity])
    assert open_sealed(after.request_part, [new])
    assert open_sealed(after.request_part, [practice.recovery])
    with pytest.raises(AgeError, match="not sealed to this identity"):
        open_sealed(after.request_part, [practice.identity])
    page = desk.get(f"/staff/bundles/{before.id}")
    assert page.status == 200
    assert practice.identity.recipient.fingerprint in page.data.decode()
    shown = desk.get(KEYS).text
    assert "Practice key, retired" in shown
    assert shown.count("by Robin Reception and Kim Second") == 2


def test_retiring(services: Services, practice: APractice, desk: Visitor, second: Visitor) -> None:
    """SECURITY 35, 38: a key that another of its kind stands beside can be retired by two people; the last one cannot."""
    with services.database.read() as db:
        (old,) = list_identities(db, practice.id)
    shown = desk.get(KEYS)
    assert "Replace this practice key" in shown.text
    assert "It cannot be retired alone" in shown.text
    assert b"/changes/retire/" not in shown.data
    assert post(desk, f"{KEYS}/changes/retire/{old.id}").status == 409
    new = Identity.generate()
    sent = {"recipient": str(new.recipient), "identity_file": identity_file(services, new), "kind": "staff"}
    path = post(desk, f"{KEYS}/changes", **sent).location
    assert post(desk, f"{KEYS}/changes/retire/{old.id}").status == 409  # one change at a time
    prove(desk, new)
    post(second, f"{path}/confirm", compared="yes")
    with services.database.read() as db:
        assert len(current_recipients(db, practice.id)) == 3
    assert f"/changes/retire/{old.id}".encode() in desk.get(KEYS).data
    path = post(desk, f"{KEYS}/changes/retire/{old.id}").location
    post(second, f"{path}/confirm", compared="yes")
    with services.database.read() as db:
        assert old.recipient not in {row.recipient for row in current_recipients(db, practice.id)}
    assert post(second, f"{path}/confirm", compared="yes").status == 409
    assert post(desk, f"{KEYS}/changes/retire/{old.id}").status == 409


def test_taking_a_change_back(services: Services, practice: APractice, desk: Visitor, second: Visitor) -> None:
    """SECURITY 35: a proposal can be taken back; its key is gone, the others stay, and a reader cannot do it."""
    path = propose(services, desk, practice, Identity.generate())
    assert post(second, f"{path}/withdraw").status == 403
    assert post(desk, f"{path}/withdraw").location == KEYS
    assert "taken back. Nothing was changed" in desk.get(path).text
    with services.database.read() as db:
        assert {row.recipient for row in db.query(RecipientRow).filter_by(practice_id=practice.id)} == {
            str(practice.identity.recipient),
            str(practice.recovery.recipient),
        }
        assert len(current_recipients(db, practice.id)) == 2
    assert actions(services, practice)[-1] == "key change taken back"


def test_a_new_recovery_sheet(services: Services, practice: APractice, desk: Visitor, second: Visitor) -> None:
    """SECURITY 35: the sheet is replaced like a key, and never has a file on the server; a wrong public key is told."""
    with services.database.read() as db:
        old = next(row for row in current_recipients(db, practice.id) if row.kind == "recovery")
    assert desk.get(f"{KEYS}/changes/new/{old.id}").heading == "Make a new recovery sheet"
    assert desk.get(f"{KEYS}/changes/new").heading == "Make a new practice key"
    new = Identity.generate()
    sent = {"kind": "recovery", "replaces": old.id}
    assert list(post(desk, f"{KEYS}/changes", recipient="nothing", **sent).errors) == ["keys"]
    assert post(desk, f"{KEYS}/changes", recipient=str(new.recipient), kind="staff", replaces=old.id).status == 409
    path = post(desk, f"{KEYS}/changes", recipient=str(new.recipient), identity_file="kept out", **sent).location
    prove(desk, new)
    post(second, f"{path}/confirm", compared="yes")
    with services.database.read() as db:
        rows = {row.recipient: row.identity_file for row in current_recipients(db, practice.id)}
    assert rows[str(new.recipient)] is None
    assert str(practice.recovery.recipient) not in rows


def test_a_change_needs_a_fresh_sign_in(app: Flask, services: Services, practice: APractice, member: AMember, clock: Clock) -> None:
    """SECURITY 35: whoever finds a browser open changes no key and confirms none: both want a sign-in of the last 15 minutes."""
    stale = staff(app, session_of(services, member))
    clock.forward(minutes=16)
    sent = {"recipient": str(Identity.generate().recipient), "kind": "recovery"}
    assert post(stale, f"{KEYS}/changes", **sent).status == 403
    assert "sign out and sign in again" in stale.get(f"{KEYS}/changes/new").text
    fresh = staff(app, session_of(services, make_member(services, practice)))
    new = Identity.generate()
    path = propose(services, fresh, practice, new)
    prove(fresh, new)
    assert "sign out and sign in again" in stale.get(path).text
    assert post(stale, f"{path}/confirm", compared="yes").status == 403


def test_the_only_one_is_told_to_invite(app: Flask, services: Services, practice: APractice, desk: Visitor) -> None:
    """SECURITY 35: a practice with one person who opens photos reads that a change takes two, and where to invite."""
    shown = desk.get(KEYS)
    assert "Invite a second member" in shown.text
    assert b"/changes/r" not in shown.data  # neither a replacement nor a retirement is offered
    new = Identity.generate()
    path = propose(services, desk, practice, new)
    prove(desk, new)
    assert "Invite a second member" in desk.get(path).text


def test_the_drill(app: Flask, services: Services, practice: APractice, member: AMember, desk: Visitor, clock: Clock) -> None:
    """Every 90 days a manager is asked to try the recovery sheet; it is on record who did, and then nobody is asked."""
    assert "last tried over" not in desk.get("/staff/").text
    clock.forward(days=90)
    later = staff(app, session_of(services, member))
    assert "last tried over 90 days ago" in later.get("/staff/").text
    assert later.get(f"{KEYS}/drill").heading == "Try the recovery sheet"
    page = post(later, f"{KEYS}/answers", answer="WRONG", drill="1")
    assert (page.status, page.heading, list(page.errors)) == (422, "Try the recovery sheet", ["keys"])
    assert prove(later, practice.recovery, drill="1").location == KEYS
    assert "Recovery sheet, tried by Robin Reception" in later.get(KEYS).text
    assert "last tried over" not in later.get("/staff/").text
    assert actions(services, practice)[-1] == "key tried"


def test_a_swapped_key_is_told_to_everyone(services: Services, practice: APractice, desk: Visitor) -> None:
    """SECURITY 35: a key edited in the database is told on every page; nothing can be asked, changed or confirmed."""
    path = propose(services, desk, practice, Identity.generate())
    with services.database.write() as db:
        row = db.query(RecipientRow).filter_by(practice_id=practice.id, kind="recovery").one()
        row.recipient = str(Identity.generate().recipient)
    assert "changed outside this service" in desk.get("/staff/").text
    assert desk.get("/staff/requests/new").heading == "Your practice cannot ask for photos now"
    assert post(desk, f"{path}/withdraw").status == 503
    assert "changed outside this service" in desk.get(KEYS).text


@pytest.mark.parametrize("kind", ["staff", "recovery"])
def test_a_key_that_a_restore_retired_again(
    services: Services, practice: APractice, desk: Visitor, second: Visitor, kind: str
) -> None:
    """SECURITY 38: where a retired key leaves the practice without one, every page says so, and how to get another."""
    with services.database.write() as db:
        row = db.query(RecipientRow).filter_by(practice_id=practice.id, kind=kind).one()
        assert retire_again(db, practice.id, row.id, services.clock())
    assert "no photo is taken until there is another" in desk.get("/staff/").text
    page = desk.get("/staff/requests/new")
    assert (page.status, page.heading) == (503, "Your practice cannot ask for photos now")
    assert "It stays retired" in page.text
    keys = desk.get(KEYS)
    assert "It stays retired" in keys.text
    assert ("Make a new recovery sheet" in keys.text) == (kind == "recovery") == ("Try the recovery sheet" not in keys.text)
    assert desk.get(f"{KEYS}/changes/new?kind={kind}").heading in {"Make a new practice key", "Make a new recovery sheet"}


def test_a_request_that_was_begun_before(services: Services, practice: APractice, desk: Visitor, second: Visitor) -> None:
    """SECURITY 38: each photo goes to the keys in use when it arrives; both key files, or the recovery sheet, open the whole."""
    asked, new = make_request(services, practice), Identity.generate()
    agree_patient(services, asked)
    take_photo(services, asked, "context")
    path = propose(services, desk, practice, new)
    prove(desk, new)
    post(second, f"{path}/confirm", compared="yes")
    take_photo(services, asked, "close-up")
    submit(services, asked.id, "")
    parts = {photo.view: b"".join(services.blobs.read(photo.blob)) for photo in photos_of(services, asked)}
    first, last = parts["context"], parts["close-up"]
    assert bundle_of(services, asked).request_part
    for sealed, keys in ((first, [practice.identity]), (last, [new]), (first, [practice.recovery]), (last, [practice.recovery])):
        assert open_sealed(sealed, keys).startswith(b"\xff\xd8\xff")
    for sealed, keys in ((first, [new]), (last, [practice.identity])):
        with pytest.raises(AgeError, match="not sealed to this identity"):
            open_sealed(sealed, keys)


def test_the_key_file_as_it_is_stored(services: Services, bare: APractice, manager: Visitor) -> None:
    """SECURITY 34: the page proves with the file that the server stores, not with one of its own; the sheet has none."""
    assert manager.get(KEYS).location == SET_UP
    file = identity_file(services, bare.identity)
    post(manager, f"{SET_UP}/staff", recipient=str(bare.identity.recipient), identity_file=file)
    post(manager, f"{SET_UP}/recovery", recipient=str(bare.recovery.recipient))
    with services.database.read() as db:
        ids = {row.kind: row.id for row in db.query(RecipientRow).filter_by(practice_id=bare.id)}
    assert manager.get(f"{KEYS}/{ids['staff']}.age").data.decode() == file
    assert manager.get(f"{KEYS}/{ids['recovery']}.age").status == 404
    assert actions(services, bare)[-1] == "key file fetched"
    assert manager.get(f"{KEYS}/drill").status == 404


def test_everyone_is_told_by_e_mail(app: Flask, services: Services, practice: APractice, desk: Visitor) -> None:
    """SECURITY 35: with e-mail set up each member gets a notice of a proposal, all of one length and without a name."""
    make_member(services, practice, role="requester")
    with_mail = replace(services, messengers={"email": cast("Any", object())})
    make_key_change(with_mail, make_member(with_mail, practice))
    with services.database.read() as db:
        letters = [db.info["vault"].open(row.text_sealed, f"messages.text/{row.id}") for row in db.query(MessageRow)]
    assert len(letters) == 3
    assert all("keys of your practice" in text and practice.name not in text for _, text in letters)


def test_keys_of_an_older_version_are_kept(services: Services, practice: APractice, desk: Visitor) -> None:
    """SECURITY 35, 38: unproved keys that photos were sealed to cannot be thrown away, and open them, retired ones too."""
    sent = make_submitted(services, make_request(services, practice))
    with services.database.write() as db:  # as the upgrade leaves them
        for row in db.query(RecipientRow).filter_by(practice_id=practice.id):
            row.proved_at = row.used_from = None
        write_mac(db, practice.id)
        old = insert_recipient(
            db, practice.id, kind="staff", recipient=Identity.generate().recipient, identity_file=b"age", now=services.clock()
        )
        old.retired_at = services.clock()
        write_mac(db, practice.id)
    assert "Throw these keys away" not in desk.get(SET_UP).text
    assert post(desk, f"{SET_UP}/anew").status == 409
    shown = desk.get(f"/staff/bundles/{sent.id}").data.decode()
    assert practice.identity.recipient.fingerprint in shown
    assert desk.get(f"/staff/identities/{old.id}.age").data == b"age"
    for identity in (practice.identity, practice.recovery):
        prove(desk, identity)
    assert post(desk, f"{SET_UP}/live").location == KEYS
    assert "It was never tried" in desk.get(KEYS).text
    assert desk.get(f"/staff/identities/{old.id}.age").status == 200
