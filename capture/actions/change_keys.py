"""Change a practice's keys: one member proposes, another compares the words and confirms (SECURITY 35, 38)."""

from sqlalchemy.orm import Session

from capture.actions.add_keys import insert_key
from capture.domain import policies
from capture.domain.messages import NOTICE_SUBJECT, notice
from capture.errors import Conflict, NotAllowed, Unavailable
from capture.sealing.keys import Recipient
from capture.services import Services
from capture.store import audit, key_changes, key_tests, members, messages, recipients, requests
from capture.store.journal import KEY
from capture.store.key_changes import KeyChange
from capture.store.models import AuditEvent, RecipientRow

PROPOSED, JOINED = "key change proposed", {"member added", "member joined"}
LAST_KEY = "Photos must always be locked with a practice key and a recovery sheet. Replace this one instead."


def propose_key(
    services: Services,
    practice_id: str,
    *,
    kind: str,
    recipient: Recipient,
    identity_file: bytes | None,
    replaces: str | None,
    actor: str,
) -> str:
    """Propose a key beside those in use, or in place of one of them; gives the change's id. It still has to be proved.

    Raises NotFound (nothing there to replace), NotAllowed, Conflict (the practice is not live, or another change waits).
    """
    now = services.clock()
    with services.database.write() as db:
        recipients.lock_recipients(db, practice_id)
        old = _in_use(db, practice_id, replaces) if replaces else None
        if kind not in recipients.KINDS or (old and old.kind != kind) or not recipients.was_live(db, practice_id):
            raise Conflict("Your practice sets up its first keys before it changes them.")
        added = insert_key(db, practice_id, kind, recipient, identity_file, now, actor=actor)
        return _propose(services, db, practice_id, added, old, actor)


def propose_retirement(services: Services, practice_id: str, recipient_id: str, *, actor: str) -> str:
    """Propose that nothing more is sealed to a key; its change's id. NotFound, Conflict (also: the last of its kind)."""
    with services.database.write() as db:
        recipients.lock_recipients(db, practice_id)
        old = _in_use(db, practice_id, recipient_id)
        _check_not_last(db, old)
        return _propose(services, db, practice_id, None, old, actor)


def confirm(services: Services, practice_id: str, change_id: str, *, actor: str) -> None:
    """Make the change, at once: what arrives from now on is sealed to the keys then in use.

    Raises NotFound, NotAllowed (the same person, or the last key of its kind), Conflict (done already, or not proved yet).
    """
    now = services.clock()
    with services.database.write() as db:
        change = _open_change(db, practice_id, change_id)
        added, retired = _confirmable(db, change, actor)
        if added:
            added.used_from = now
        if retired:
            retired.retired_at = now
        change.confirmed_by, change.closed_at = actor, now
        recipients.write_mac(db, practice_id)
        event = _note(services, db, change, "key change confirmed", actor)
        if retired:
            requests.note_ending(db, event, KEY, retired.id)


def check_can_confirm(services: Services, practice_id: str, change_id: str, *, actor: str) -> None:
    """Whether this person can confirm it now; raises as `confirm`."""
    with services.database.write() as db:
        _confirmable(db, _open_change(db, practice_id, change_id), actor)


def withdraw(services: Services, practice_id: str, change_id: str, *, actor: str) -> None:
    """Take a proposal back; a key that came with it is forgotten, since nothing was sealed to it. NotFound, Conflict."""
    with services.database.write() as db:
        take_back(services, db, _open_change(db, practice_id, change_id), actor=actor)


def take_back(services: Services, db: Session, change: KeyChange, *, actor: str) -> None:
    """The same, in a transaction that goes on. Unavailable when a key was edited."""
    recipients.lock_recipients(db, change.practice_id)
    _note(services, db, change, "key change taken back", actor)
    change.closed_at = services.clock()
    if change.added_id:
        key_tests.forget_tests(db, change.added_id)
        recipients.forget_unused(db, change.practice_id, change.added_id)


def keys_of(db: Session, change: KeyChange) -> tuple[RecipientRow | None, RecipientRow | None]:
    """The key that the change adds and the one that it retires, where there is one; a forgotten one is not there."""
    ids = {row.id: row for row in recipients.list_recipients(db, change.practice_id)}
    return ids.get(change.added_id or ""), ids.get(change.retired_id or "")


def _confirmable(db: Session, change: KeyChange, actor: str) -> tuple[RecipientRow | None, RecipientRow | None]:
    if change.proposed_by == actor:
        raise NotAllowed("Another person must confirm what you have proposed.", code="second-person")
    _check_proposal(db, change, actor)
    added, retired = keys_of(db, change)
    if added and added.proved_at is None:
        raise Conflict("The new key was not tried yet. Whoever proposed it must open a test with it first.")
    if retired and not added:
        _check_not_last(db, retired)
    return added, retired


def _check_proposal(db: Session, change: KeyChange, actor: str) -> None:
    """Who proposed is whom the audit trail names, and manages still; who confirms was here before (SECURITY 35)."""
    ours, theirs = (audit.list_events(db, change.practice_id, subject) for subject in (change.practice_id, actor))
    proposed = next((event for event in reversed(ours) if event.action == PROPOSED), None)
    if proposed is None or proposed.actor != change.proposed_by:
        raise Unavailable(hint="a change of this practice's keys was changed outside the service: take it back")
    roles = {member.id: role for member, role in members.list_members(db, change.practice_id)}
    if not policies.may_manage(roles.get(change.proposed_by, "")):
        raise Conflict("Whoever proposed this does not manage the practice any more. Take it back, and propose it again.")
    if any(event.action in JOINED and event.number > proposed.number for event in theirs):
        raise NotAllowed("You joined after this was proposed. Someone who was here before must confirm it.", code="second-person")


def _propose(
    services: Services, db: Session, practice_id: str, added: RecipientRow | None, retired: RecipientRow | None, actor: str
) -> str:
    ids = {"added_id": added.id if added else None, "retired_id": retired.id if retired else None}
    change = key_changes.insert_change(db, practice_id, **ids, proposed_by=actor, now=services.clock())
    _note(services, db, change, PROPOSED, actor)
    return change.id


def _open_change(db: Session, practice_id: str, change_id: str) -> KeyChange:
    recipients.lock_recipients(db, practice_id)
    change = key_changes.find_change(db, practice_id, change_id)
    if change.closed_at:
        raise Conflict("This change was confirmed or taken back already.")
    return change


def _in_use(db: Session, practice_id: str, recipient_id: str) -> RecipientRow:
    row = recipients.find_recipient(db, practice_id, recipient_id)
    if not recipients.in_use(row):
        raise Conflict("This key is not in use.")
    return row


def _check_not_last(db: Session, row: RecipientRow) -> None:
    others = [one for one in recipients.list_recipients(db, row.practice_id) if one.kind == row.kind and recipients.in_use(one)]
    if len(others) < 2:
        raise Conflict(LAST_KEY, code="last-key")


def _note(services: Services, db: Session, change: KeyChange, action: str, actor: str) -> AuditEvent:
    """Record it, tell every member by e-mail where e-mail is configured, and take it that whoever did it knows of it."""
    now = services.clock()
    added, retired = keys_of(db, change)
    facts = {"added": added.fingerprint if added else "", "retired": retired.fingerprint if retired else ""}
    event = audit.append(db, change.practice_id, actor=actor, action=action, subject=change.practice_id, at=now, **facts)
    key_changes.note_seen(db, change.practice_id, actor, now)
    text = notice("keys", f"{services.settings.origin}/staff/")
    for member, _ in members.list_members(db, change.practice_id) if "email" in services.messengers else ():
        messages.queue_message(
            db,
            practice_id=change.practice_id,
            request_id=None,
            kind="notice-keys",
            channel="email",
            to=member.email,
            subject=NOTICE_SUBJECT,
            text=text,
            due_at=now,
        )
    return event
