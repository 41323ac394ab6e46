"""What the queries of queries.py ask about: one of everything, in the first practice; and those that take several steps."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from capture.domain.requests import State
from capture.errors import CaptureError
from capture.sealing.keys import Identity, SigningKey
from capture.store import (
    audit_heads,
    deletions,
    deliveries,
    invitations,
    key_changes,
    key_tests,
    members,
    messages,
    openid,
    passkeys,
    practices,
    recipients,
    recovery_codes,
    request_templates,
    requests,
    restoring,
    scrubbing,
    sessions,
    tokens,
    under_way,
    unlockers,
    webhooks,
)
from capture.store.database import Database
from capture.store.journal import PURGED, Ending
from capture.store.models import Bundle, Delivery, Member, Photo, Practice, RecipientRow, Request, new_id
from tests.store.england import DAY, NOW
from tests.store.rows import add_bundle, add_photo, add_request

WEEKS = [NOW - timedelta(weeks=number) for number in range(12, 0, -1)]
OLD_PLACE = (NOW - 60 * DAY, "")
SOON = timedelta(minutes=1)


@dataclass(frozen=True)
class Asked:
    """What the queries ask about: the practice, one of its members, one of its requests with all that there is of it."""

    practice: Practice
    member: Member
    recipient: RecipientRow
    request: Request
    sent: Request
    photo: Photo
    bundle: Bundle
    delivery: Delivery
    webhook: webhooks.Webhook
    token: tokens.Token
    passkey: passkeys.Passkey
    template: request_templates.RequestTemplate
    invitation: invitations.Invitation
    unlocker: unlockers.Unlocker
    change: key_changes.KeyChange
    cookie: str
    codes: list[str]
    token_text: str
    some: list[str]  # ids of requests, as many as a page shows


def prepare(database: Database) -> Asked:
    """Give the first practice one of everything that it may have, with one more of each of its requests' things."""
    with database.write() as db:
        practice = practices.find_practice(db, "A00000")
        recipients.write_mac(db, practice.id)
        member = members.list_members(db, practice.id)[0][0]
        recipient = recipients.list_recipients(db, practice.id)[0]
        asked = add_request(db, practice.id, State.SENT, hand_over_hash=new_id(), hand_over_until=NOW + DAY)
        sent = add_request(db, practice.id, State.SUBMITTED, submitted_at=NOW)
        photo, bundle = add_photo(db, sent), add_bundle(db, sent, number=1_000_000)
        add_photo(db, asked)
        queue_text(db, asked)
        webhook, _ = webhooks.insert_webhook(db, practice.id, "https://one.example/", NOW)
        webhooks.queue_event(db, webhook, "request.sent", {}, 1_000_000, NOW)
        token: dict[str, Any] = {"name": "One", "scopes": "requests:read", "made_by": "operator", "now": NOW, "lifetime": DAY}
        key: dict[str, Any] = {"credential": new_id(), "name": "One", "now": NOW}
        change: dict[str, Any] = {"added_id": recipient.id, "retired_id": None, "proposed_by": member.id, "now": NOW}
        openid.insert_identity(db, "https://one.example", "one", member.id)
        key_tests.insert_test(db, recipient.id, "answer", NOW)
        return Asked(
            practice=practice,
            member=member,
            recipient=recipient,
            request=asked,
            sent=sent,
            photo=photo,
            bundle=bundle,
            delivery=db.scalars(select(Delivery).where(Delivery.bundle_id == bundle.id)).one(),
            webhook=webhook,
            token=tokens.insert_token(db, practice.id, "text", **token),
            passkey=passkeys.insert_passkey(db, member.id, public_key=b"", sign_count=0, **key),
            template=save_template(db, practice.id, "One"),
            invitation=invite_one(db, practice.id, member.id, "one@new.example"),
            unlocker=unlockers.insert_unlocker(db, member.id, recipient.id, file=b"", **key),
            change=key_changes.insert_change(db, practice.id, **change),
            cookie=sessions.start_session(db, "patient", now=NOW, request_id=asked.id),
            codes=recovery_codes.replace_codes(db, member.id),
            token_text="text",
            some=list(db.scalars(select(Request.id).where(Request.practice_id == practice.id).limit(25))),
        )


def queue_text(db: Session, request: Request) -> str:
    about = {"practice_id": request.practice_id, "request_id": request.id, "kind": "link", "channel": "sms"}
    return messages.queue_message(db, to="07700 900123", text="A link.", due_at=NOW, **about)


def save_template(db: Session, practice_id: str, name: str) -> request_templates.RequestTemplate:
    what: dict[str, Any] = {"site": "arm", "side": "left", "protocol": "lesion", "message": "", "days": 7, "now": NOW}
    return request_templates.put_template(db, practice_id, name=name, **what)


def invite_one(db: Session, practice_id: str, member_id: str, email: str) -> invitations.Invitation:
    to = {"email": email, "role": "reader", "invited_by": member_id}
    return invitations.insert_invitation(db, practice_id, token=email, now=NOW, **to)


SECRETS: dict[str, Any] = {"name": "One", "password_hash": "x", "code_secret": "ABCD", "now": NOW}


def use(db: Session, cookie: str) -> None:
    row = sessions.find_session(db, cookie, "patient", NOW)
    assert row
    sessions.touch_session(db, row, NOW + SOON)


def wait_for(db: Session, asked: Asked) -> str:
    sessions.add_pending(db, asked.cookie, "challenge", "1")
    assert sessions.pending(db, asked.cookie, "challenge")
    return sessions.take_pending(db, asked.cookie, "challenge")


def move(db: Session, request_id: str, to: State) -> Request:
    request = requests.lock_request(db, request_id)
    requests.move(db, request, to, actor="x", now=NOW)
    return request


def send(db: Session, request_id: str) -> None:
    """What the sending asks of the database, on one that was only sent: by way of the state in between."""
    move(db, request_id, State.CONFIRMED)
    add_bundle(db, move(db, request_id, State.SUBMITTED), number=2_000_000)


def new_member(db: Session) -> str:
    return members.insert_member(db, email="new@z.example", **SECRETS).id


def prove(db: Session, asked: Asked) -> None:
    members.set_password(db, asked.member.id, "x")
    members.set_code_secret(db, asked.member.id, "ABCD", 1)
    assert members.code_secret(db, db.get_one(Member, asked.member.id))


def add_key(db: Session, practice_id: str) -> None:
    new: dict[str, Any] = {"kind": "staff", "recipient": Identity.generate().recipient, "identity_file": None, "now": NOW}
    recipients.forget_unused(db, practice_id, recipients.insert_recipient(db, practice_id, **new).id)


def settle_delivery(db: Session) -> None:
    lease = deliveries.lease_due(db, NOW)
    assert lease
    deliveries.renew(db, lease, NOW)
    deliveries.was_dropped(db, lease)
    deliveries.put_back(db, lease, NOW, "x")
    deliveries.note_try(db, lease, NOW, "x")
    deliveries.count_tries(db, lease, "x")
    deliveries.give_up(db, lease, NOW, "x")
    deliveries.mark_under_way(db, lease, NOW, "x")
    deliveries.mark_delivered(db, lease, NOW)
    deliveries.queue_missing(db, lease.delivery_id, [lease.inbox, "one more"], NOW)


def follow(db: Session) -> None:
    lease = deliveries.lease_due(db, NOW)
    assert lease
    deliveries.mark_under_way(db, lease, NOW, "x")
    found = under_way.take_due(db, NOW + deliveries.SOONEST)
    assert found
    assert under_way.find(db, found.inbox, "x", NOW)
    under_way.look_again(db, found, NOW)
    under_way.mark_came_back(db, found, NOW, "x")
    under_way.mark_taken(db, found, NOW)


def settle_message(db: Session) -> None:
    lease = messages.lease_due(db, NOW)
    assert lease
    with suppress(CaptureError):  # only the first practice's open
        messages.letter_of(db, lease)
    messages.put_back(db, lease, NOW, "x")
    messages.mark_sent(db, lease, "x", NOW)
    messages.give_up(db, lease, NOW, "x")


def settle_event(db: Session) -> None:
    lease = webhooks.lease_due(db, NOW)
    assert lease
    assert webhooks.secrets_of(db, lease, NOW)
    webhooks.put_back(db, lease, NOW, "x")
    webhooks.mark_delivered(db, lease, NOW)
    webhooks.give_up(db, lease, NOW, "x")


def hurry(db: Session, asked: Asked) -> None:
    with suppress(CaptureError):  # no try of it has failed
        deliveries.make_due(db, asked.practice.id, asked.delivery.id, NOW)


def damage(db: Session, asked: Asked) -> None:
    part = next(part for part in scrubbing.next_parts(db, asked.photo.id[:-1], "g", 1))
    scrubbing.note_damage(db, part, "part-missing", NOW)
    assert scrubbing.find_damage(db, part.photo_id)


def scrub(db: Session) -> None:
    scrubbing.begin_round(db, "parts", NOW)
    scrubbing.advance(db, "parts", "", "1")
    assert scrubbing.find_round(db, "parts")


def note_ends(db: Session) -> None:
    key = SigningKey.generate()
    with TemporaryDirectory() as folder:
        audit_heads.note_heads(db, Path(folder) / "heads", key, NOW)


def compare_ends(db: Session) -> None:
    key = SigningKey.generate()
    with TemporaryDirectory() as folder:
        audit_heads.find_breaks(db, Path(folder) / "heads", key.verifying_key)


def restored(db: Session, asked: Asked) -> None:
    """With a clock of long ago, by which nothing is over yet, and of the first practice's links alone."""
    before = NOW - timedelta(days=9_000)
    restoring.apply_endings(db, [Ending(NOW.isoformat(), PURGED, asked.practice.id, 1, asked.sent.id)], before)
    restoring.drop_gone(db, [asked.photo.blob], before)
    assert next(scrubbing.every_part(db))
    assert restoring.heads_of(db)[asked.practice.id]
    assert restoring.count_unopened(db)
    assert not deletions.list_due(db, before, 1)
    with TemporaryDirectory() as folder:
        audit_heads.note_restored(db, Path(folder) / "heads", SigningKey.generate(), NOW, "then")
    restoring.note_restored(db, before)
    db.execute(update(Request).where(Request.practice_id != asked.practice.id).values(state=State.PURGED))
    restoring.apply_rules(db, before)
