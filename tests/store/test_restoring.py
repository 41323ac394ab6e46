"""SECURITY 42: an old backup revives no used link and no deleted bundle, whatever happened since."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from capture.actions import change_keys
from capture.actions.agree import agree
from capture.actions.cancel import cancel
from capture.actions.deliver import deliver_next
from capture.actions.expire import expire_due
from capture.actions.extend import extend
from capture.actions.hand_over import find_offer, offer
from capture.actions.manage_members import remove_member
from capture.actions.note_heads import find_breaks, list_restores, note_heads
from capture.actions.open_link import confirm, find_link
from capture.actions.prove_keys import answer_test, ask_tests
from capture.actions.resend import resend
from capture.actions.scrub import scrub_all
from capture.actions.submit import submit
from capture.actions.tokens import issue_token, revoke_token
from capture.actions.webhooks import add_webhook, remove_webhook
from capture.domain.links import GUESSES_IN_ALL, link_key
from capture.domain.requests import State
from capture.errors import Conflict, LinkClosed, LinkExpired, Unavailable
from capture.sealing.age import open_sealed
from capture.sealing.keys import Identity
from capture.services import Services
from capture.store import key_changes, recipients, sessions
from capture.store.invitations import find_invitation
from capture.store.members import list_members
from capture.store.models import AuditEvent, Practice, Request, SessionRow
from capture.store.requests import lock_link, lock_request
from capture.store.tokens import list_tokens
from capture.store.webhooks import WebhookDelivery, list_webhooks
from tests.builders import (
    AMember,
    ARequest,
    agree_patient,
    confirm_patient,
    make_invitation,
    make_key_change,
    make_member,
    make_practice,
    make_request,
    make_submitted,
    photos_of,
    take_photo,
)
from tests.conftest import Clock
from tests.store.keeping import Place, state_of
from tests.web.retention import make_attached, pass_time


def new_link(services: Services, asked: ARequest) -> str:
    """Make a new link in the place of the old one: its token."""
    with services.database.read() as db:
        key = link_key(db.get_one(Request, asked.id).token_hash)
    return resend(services, asked.practice.id, asked.id, key=key, actor="a").link.rpartition("/")[2]


def guess_out(services: Services, asked: ARequest) -> None:
    with services.database.write() as db:
        request = lock_request(db, asked.id)
        request.guesses = GUESSES_IN_ALL
        lock_link(db, request, services.clock())


def end(services: Services, asked: ARequest, clock: Clock) -> None:
    clock.forward(days=8)
    expire_due(services)
    clock.forward(days=-8)


def send(services: Services, asked: ARequest) -> None:
    submit(services, asked.id, "")


ENDS: dict[str, tuple[Callable[[Services, ARequest, Clock], object], str]] = {
    "sent": (lambda services, asked, _: send(services, asked), "expired"),
    "cancelled": (lambda services, asked, _: cancel(services, asked.practice.id, asked.id, actor="a"), "cancelled"),
    "expired": (end, "expired"),
    "guessed out": (lambda services, asked, _: guess_out(services, asked), "locked"),
    "replaced": (lambda services, asked, _: new_link(services, asked), "expired"),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_link_that_ended_since_stays_dead(place: Place, asked: ARequest, clock: Clock, how: str) -> None:
    """SECURITY 42: however a link ended after the backup, a restore leaves it dead; staff see it, and can make a new one."""
    services, (act, state) = place.services, ENDS[how]
    live = make_request(services, asked.practice, days=28)
    agree_patient(services, asked)
    take_photo(services, asked)
    place.back_up()
    act(services, asked, clock)
    issued_later = make_request(services, asked.practice)
    with place.restored() as (there, restored):
        assert (state_of(there, asked), restored.ended, restored.deleted) == (state, 1, 0)
        for dead in (asked, issued_later):
            with pytest.raises((LinkClosed, LinkExpired)):
                find_link(there, dead.token)
            with pytest.raises((LinkClosed, LinkExpired)):
                confirm(there, dead.token, dead.born)
        assert confirm(there, live.token, live.born)
        if state != "expired":
            return
        assert len(photos_of(there, asked)) == 1  # what had arrived is there: the patient goes on with a new link
        extend(there, asked.practice.id, asked.id, 14, actor="a")
        with pytest.raises((LinkClosed, LinkExpired)):
            find_link(there, asked.token)
        assert confirm(there, new_link(there, asked), asked.born)
        agree(there, asked.id, "me")
        assert submit(there, asked.id, "") == asked.receipt


def test_what_was_deleted_since_stays_deleted(place: Place, asked: ARequest, clock: Clock) -> None:
    """SECURITY 41 and 42: photos deleted after the backup come back neither as rows nor as parts, from no snapshot."""
    services = place.services
    make_attached(services, asked)
    (photo,) = photos_of(services, asked)
    with services.database.read() as db:
        sealed = [photo.facts_sealed, db.get_one(Request, asked.id).details_sealed, b"".join(services.blobs.read(photo.blob))]
    place.back_up()
    assert pass_time(services, clock, 30) == 1
    with place.restored() as (there, restored):
        assert (state_of(there, asked), restored.deleted, restored.parts) == ("purged", 1, 1)
        assert there.database.forget_deleted()
        stored = b"".join(path.read_bytes() for path in Path(there.settings.var).rglob("*") if path.is_file())
        assert not [piece for piece in sealed if piece[20:80] in stored]
        assert scrub_all(there).parts == 0
    assert place.back_up().removed == 1
    assert list((place.backups / "blobs").rglob("*.age")) == []
    for number, without_journal in ((1, False), (1, True), (2, False)):
        with place.restored(snapshot=number, without_journal=without_journal) as (there, _):
            assert state_of(there, asked) == "purged"


def test_without_a_journal_every_link_ends(place: Place, asked: ARequest, clock: Clock) -> None:
    """SECURITY 42: where nothing says what ended since, no link lives on, and what is due by now is deleted at once."""
    services = place.services
    begun, waiting, old = (make_request(services, asked.practice) for _ in range(3))
    agree_patient(services, begun)
    make_submitted(services, waiting)
    make_attached(services, old)
    expired = make_request(services, asked.practice)
    with services.database.write() as db:
        db.get_one(Request, expired.id).expires_at -= timedelta(days=6)
        db.get_one(Practice, asked.practice.id).keep_attached_days = 3
    clock.forward(days=2)
    assert expire_due(services) == 1
    clock.forward(days=-2)
    place.back_up()
    clock.forward(days=3)
    with pytest.raises(Conflict) as refused, place.restored(journal=str(place.folder / "none.log")):
        pass
    assert (refused.value.code, "--without-journal" in str(refused.value.hint)) == ("no-journal", True)
    with place.restored(journal=str(place.folder / "none.log"), without_journal=True) as (there, restored):
        assert (restored.ended, restored.deleted, restored.unopened) == (2, 1, 1)
        states = [state_of(there, one) for one in (asked, begun, waiting, old)]
        assert states == ["expired", "expired", "delivered", "purged"]
        for dead in (asked, begun, expired):
            with pytest.raises((LinkClosed, LinkExpired)):
                find_link(there, dead.token)
        extend(there, asked.practice.id, expired.id, 7, actor="a")
        with pytest.raises((LinkClosed, LinkExpired)):
            find_link(there, expired.token)
        assert there.journal.position() is not None


def test_a_journal_that_was_begun_anew_is_none(place: Place, asked: ARequest) -> None:
    """A journal that was lost and begun again does not pass for the one that the backup knew."""
    place.back_up()
    other = place.folder / "anew.log"
    place.services.settings.journal_file.rename(place.folder / "lost.log")
    place.services.journal.begin(place.clock())
    place.services.settings.journal_file.rename(other)
    with pytest.raises(Conflict) as refused, place.restored(journal=str(other)):
        pass
    assert "does not cover this backup" in refused.value.sentence


def test_a_restore_of_a_restored_service(place: Place, asked: ARequest) -> None:
    """What was noted before a restore ends nothing that was begun anew after it, in a backup made since."""
    services = place.services
    agree_patient(services, asked)
    take_photo(services, asked)
    place.back_up()
    for _ in range(9):  # so that the events of the lost time have higher numbers than any of the time after
        make_request(services, asked.practice)
    send(services, asked)
    with place.restored() as (there, _):
        extend(there, asked.practice.id, asked.id, 14, actor="a")
        token = new_link(there, asked)
        second = Place(place.folder, there, place.clock, place.cleaner)
        second._number = 5
        second.back_up()
        with second.restored() as (again, restored):
            assert restored.ended == 0
            assert confirm(again, token, asked.born)
            assert find_breaks(again) == []
            assert len(list_restores(again)) == 1  # both were at the same moment, from backups of it
        with second.restored(snapshot=1) as (again, _):
            assert state_of(again, asked) == "expired"
            assert find_breaks(again) == []


def test_short_lived_links_and_sessions_are_not_brought_back(place: Place, asked: ARequest) -> None:
    """No session, no link to another phone and no invitation lives on: each may have been used or ended since."""
    services = place.services
    member = make_member(services, asked.practice)
    with services.database.write() as db:
        sessions.start_session(db, "staff", now=services.clock(), member_id=member.id, practice_id=asked.practice.id)
    confirm_patient(services, asked)
    phone = offer(services, asked.id).link.rpartition("/")[2]
    _, invited = make_invitation(services, asked.practice, member)
    place.back_up()
    with place.restored() as (there, _):
        with pytest.raises(LinkClosed):
            find_offer(there, phone)
        with there.database.read() as db:
            assert find_invitation(db, invited.rpartition("/")[2], there.clock()) is None
            assert db.query(SessionRow).count() == 0


def test_access_that_ended_since_stays_ended(place: Place, asked: ARequest) -> None:
    """A member who was removed and a token that was revoked after the backup have no access after a restore; the others do."""
    services, practice_id = place.services, asked.practice.id
    manager, gone = make_member(services, asked.practice), make_member(services, asked.practice)
    live, revoked = (
        issue_token(services, practice_id, name=name, scopes=["requests:read"], days=7, actor=manager.id)[0] for name in "ab"
    )
    place.back_up()
    remove_member(services, practice_id, gone.id, actor=manager.id)
    revoke_token(services, practice_id, revoked.id, actor=manager.id)
    with place.restored() as (there, restored), there.database.read() as db:
        assert restored.access == 2
        assert [member.id for member, _ in list_members(db, practice_id)] == [manager.id]
        assert {token.id: token.is_live(there.clock()) for token in list_tokens(db, practice_id)} == {
            live.id: True,
            revoked.id: False,
        }


def rotate(services: Services, asked: ARequest, after: Callable[[], object] = lambda: None) -> tuple[str, AMember]:
    """Put a new staff key in the place of the one in use, if one is, confirmed `after` something: its id, and who confirmed."""
    manager, second, new = make_member(services, asked.practice), make_member(services, asked.practice), Identity.generate()
    change = make_key_change(services, manager, new, next(iter(staff_keys(services, asked)), None))
    (test,) = ask_tests(services, asked.practice.id)
    answer_test(services, asked.practice.id, open_sealed(test.sealed, [new]).decode(), actor=manager.id)
    after()
    change_keys.confirm(services, asked.practice.id, change, actor=second.id)
    (added,) = staff_keys(services, asked)
    return added, second


def staff_keys(services: Services, asked: ARequest) -> list[str]:
    """The practice's own keys that photos are sealed to."""
    with services.database.read() as db:
        rows = recipients.list_recipients(db, asked.practice.id)
        return [row.id for row in rows if row.kind == "staff" and recipients.in_use(row)]


def test_a_key_that_was_retired_since_seals_nothing(place: Place, asked: ARequest) -> None:
    """SECURITY 38: after a restore a retired key stays retired; without another the practice asks for nothing until one is made."""
    services, practice_id = place.services, asked.practice.id
    (old,) = staff_keys(services, asked)
    place.back_up()
    rotate(services, asked)
    with place.restored() as (there, restored):
        assert (restored.keys, staff_keys(there, asked)) == (1, [])
        with there.database.read() as db:
            assert not recipients.is_edited(db, practice_id)
            assert [row.id for row in recipients.list_identities(db, practice_id)] == [old]
            (event,) = db.query(AuditEvent).filter_by(practice_id=practice_id, action="key retired by restore")
            assert asked.practice.identity.recipient.fingerprint in event.facts
        with pytest.raises(Unavailable):
            make_request(there, asked.practice)
        added, _ = rotate(there, asked)
        assert staff_keys(there, asked) == [added]
        assert make_request(there, asked.practice)
        assert find_breaks(there) == []


def test_a_change_of_keys_that_was_confirmed_since_is_confirmed_again(place: Place, asked: ARequest) -> None:
    """Where the backup has the new key already, proposed and tried, a second person confirms it anew, and the practice goes on."""
    added, second = rotate(place.services, asked, after=place.back_up)
    with place.restored() as (there, restored):
        assert (restored.keys, staff_keys(there, asked)) == (1, [])
        with there.database.read() as db:
            change = key_changes.waiting_change(db, asked.practice.id)
        assert change
        change_keys.confirm(there, asked.practice.id, change.id, actor=second.id)
        assert staff_keys(there, asked) == [added]
        assert make_request(there, asked.practice)


def test_keys_that_were_edited_stay_stopped(place: Place, asked: ARequest) -> None:
    """SECURITY 35: a restore puts no MAC over keys that were edited in the database before the backup."""
    edit = "UPDATE recipients SET fingerprint = {} WHERE kind = 'recovery'"
    services = place.services
    with services.database.write() as db:
        db.execute(text(edit.format("'x' || fingerprint")))
    place.back_up()
    with services.database.write() as db:
        db.execute(text(edit.format("substr(fingerprint, 2)")))
    rotate(services, asked)
    with place.restored() as (there, restored), there.database.read() as db:
        assert (restored.keys, recipients.is_edited(db, asked.practice.id)) == (1, True)


def test_a_webhook_that_was_removed_since_stays_removed(place: Place, asked: ARequest) -> None:
    """No system is told of anything after a restore that is told of nothing any longer; the others are."""
    services, practice_id = place.services, asked.practice.id
    kept, gone = (add_webhook(services, practice_id, f"https://{one}.example.org/", actor="operator")[0] for one in "ab")
    make_submitted(services, asked)
    place.back_up()
    remove_webhook(services, practice_id, gone.id, actor="operator")
    with place.restored() as (there, restored), there.database.read() as db:
        assert restored.access == 1
        assert [one.id for one in list_webhooks(db, practice_id)] == [kept.id]
        assert {one.webhook_id for one in db.query(WebhookDelivery)} == {kept.id}


def test_the_act_counts_only_once_it_is_noted(place: Place, asked: ARequest) -> None:
    """Where the journal cannot be written the sending is not acknowledged, nothing has changed, and it works again afterwards."""
    services = place.services
    agree_patient(services, asked)
    take_photo(services, asked)
    path = services.settings.journal_file
    path.rename(path.with_name("away"))
    with pytest.raises(Unavailable):
        send(services, asked)
    assert state_of(services, asked) == State.CONFIRMED
    path.with_name("away").rename(path)
    send(services, asked)
    assert deliver_next(services)


def test_what_was_noted_and_never_came_to_be(place: Place, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the note and the commit, the link still works here; a restore ends it, since it fails closed."""
    services = place.services
    agree_patient(services, asked)
    take_photo(services, asked)
    place.back_up()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("sqlalchemy.orm.Session.commit", killed)
        with pytest.raises(KeyboardInterrupt):
            send(services, asked)
    assert state_of(services, asked) == State.CONFIRMED
    with place.restored() as (there, _):
        assert state_of(there, asked) == State.EXPIRED
    send(services, asked)
    assert state_of(services, asked) == State.SUBMITTED


def test_the_trail_says_what_happened(place: Place, asked: ARequest) -> None:
    """SECURITY 39: after a restore the older trail is no tampering, each chain says that it was brought back, edits are found."""
    services = place.services
    place.back_up()
    make_practice(services, name="Came later")
    make_request(services, asked.practice)
    note_heads(services)
    with place.restored() as (there, _):
        assert find_breaks(there) == []
        note_heads(there)
        assert find_breaks(there) == []
        with there.database.write() as db:
            events = db.execute(text("SELECT count(*) FROM audit WHERE action = 'service restored'")).scalar_one()
            assert events == 2
            db.execute(text("UPDATE audit SET actor = 'x' WHERE number = 1 AND practice_id != ''"))
        assert "event 1 was altered" in find_breaks(there)[0]
