"""What a restored database must learn before it counts: links that were used and requests that were deleted since (SECURITY 42)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from capture.domain.requests import WAITING, State
from capture.store import audit, deletions, recipients, unlockers
from capture.store.invitations import Invitation
from capture.store.journal import KEY, LOCKED, MEMBER, PURGED, TOKEN, WEBHOOK, Ending
from capture.store.messages import drop_messages
from capture.store.models import AuditHead, Delivery, Membership, Photo, Practice, Request
from capture.store.photos import UNREAD, bundle_of_request
from capture.store.tokens import Token
from capture.store.webhooks import Webhook, delete_webhook

ACTOR = "restore"
_AT_ONCE = 500


@dataclass
class Learned:
    """How many links ended, requests were deleted, members, tokens and webhooks lost their access, and keys were retired."""

    ended: int = 0
    deleted: int = 0
    access: int = 0
    keys: int = 0


def heads_of(db: Session) -> dict[str, int]:
    """The number of each practice's last audit event."""
    return {head.practice_id: head.number for head in db.scalars(select(AuditHead))}


def apply_endings(db: Session, endings: Iterable[Ending], now: datetime) -> Learned:
    """End and delete what the journal says; and every link whose time is over by now, so that nobody gives it more by mistake."""
    _forget_short_lived(db)
    learned = Learned()
    for ending in endings:
        if ending.act == KEY:
            learned.keys += _retire(db, ending, now)
            continue
        if ending.act in {MEMBER, TOKEN, WEBHOOK}:
            learned.access += _end_access(db, ending, now)
            continue
        request = db.get(Request, ending.request)
        if request and ending.act == PURGED:
            learned.deleted += _delete(db, request, now)
        elif request:
            learned.ended += _end(db, request, _state_after(ending.act), now)
    over = select(Request).where(Request.state.in_([*WAITING, State.EXPIRED]), Request.expires_at <= now)
    learned.ended += _end_all(db, over, now)
    return learned


def apply_rules(db: Session, now: datetime) -> Learned:
    """Without a journal: end every link, and delete what the rules of retention call due now, whenever that was first seen."""
    _forget_short_lived(db)
    learned = Learned(_end_all(db, select(Request).where(Request.state.in_([*WAITING, State.EXPIRED])), now))
    while due := deletions.list_due(db, now, _AT_ONCE):
        for request_id in due:
            learned.deleted += _delete(db, db.get_one(Request, request_id), now)
        db.expire_all()
    return learned


def drop_gone(db: Session, blobs: Iterable[str], now: datetime) -> int:
    """Parts that went since the backup looked at the database: a photo that was not sent goes, a bundle was deleted; how many."""
    deleted = 0
    for name in sorted(blobs):
        photo = db.scalars(select(Photo).where(Photo.request_id == name.partition("/")[0], Photo.blob == name)).first()
        if photo and bundle_of_request(db, photo.request_id):
            deleted += _delete(db, db.get_one(Request, photo.request_id), now)
        elif photo:
            db.delete(photo)
            db.flush()
    return deleted


def count_unopened(db: Session) -> int:
    """Bundles that nobody had opened when the backup was made."""
    return db.scalar(select(func.count()).select_from(Request).where(Request.state.in_(UNREAD))) or 0


def note_restored(db: Session, now: datetime, **facts: str | int) -> None:
    """An event in every chain that says from which backup it goes on."""
    for practice_id in ["", *db.scalars(select(Practice.id).order_by(Practice.id))]:
        audit.append(db, practice_id, actor="operator", action="service restored", subject=practice_id, at=now, **facts)
    db.flush()


def _retire(db: Session, ending: Ending, now: datetime) -> bool:
    """Retire a key; whether there was one to retire. A practice that has no other asks for nothing until it has made one."""
    retired = recipients.retire_again(db, ending.practice, ending.request, now)
    if retired:
        facts = {"retired": retired.fingerprint}
        audit.append(db, ending.practice, actor=ACTOR, action="key retired by restore", subject=ending.practice, at=now, **facts)
    return retired is not None


def _end_access(db: Session, ending: Ending, now: datetime) -> bool:
    """Take a member out of the practice, or end a token or a webhook; whether there was anything to end."""
    if ending.act == WEBHOOK:
        webhook = db.get(Webhook, ending.request)
        if webhook and webhook.practice_id == ending.practice:
            delete_webhook(db, webhook)
            return True
        return False
    if ending.act == TOKEN:
        live = update(Token).where(Token.id == ending.request, Token.practice_id == ending.practice, Token.revoked_at.is_(None))
        return db.execute(live.values(revoked_at=now).returning(Token.id)).first() is not None
    unlockers.delete_unlockers(db, ending.practice, ending.request)
    theirs = delete(Membership).where(Membership.practice_id == ending.practice, Membership.member_id == ending.request)
    return db.execute(theirs.returning(Membership.member_id)).first() is not None


def _state_after(act: str) -> State:
    return State(act) if act in {State.CANCELLED, LOCKED} else State.EXPIRED


def _end_all(db: Session, query: Select[Any], now: datetime) -> int:
    return sum(_end(db, request, State.EXPIRED, now) for request in list(db.scalars(query)))


def _end(db: Session, request: Request, to: State, now: datetime) -> bool:
    """End a link for good: no token leads to it any longer, and giving it more time takes a new link. Whether it still worked."""
    if State(request.state) not in WAITING | {State.EXPIRED} or request.token_hash == _dead(request):
        return False
    worked = State(request.state) in WAITING
    request.token_hash, request.hand_over_hash, request.hand_over_until = _dead(request), None, None
    if worked:
        request.state, request.changed_at = to, now
        audit.append(db, request.practice_id, actor=ACTOR, action="link ended by restore", subject=request.id, at=now)
    if to is State.CANCELLED:
        _drop_photos(db, request.id)
    drop_messages(db, request.id)
    db.flush()
    return worked


def _delete(db: Session, request: Request, now: datetime) -> bool:
    if request.state == State.PURGED:
        return False
    request.state, request.changed_at, request.token_hash = State.PURGED, now, _dead(request)
    audit.append(db, request.practice_id, actor=ACTOR, action="request purged", subject=request.id, at=now)
    deletions.erase(db, request)
    return True


def _drop_photos(db: Session, request_id: str) -> None:
    deletions.list_blobs(db, db.scalars(select(Photo.blob).where(Photo.request_id == request_id, Photo.replaced.is_(False))))
    db.execute(delete(Photo).where(Photo.request_id == request_id))


def _forget_short_lived(db: Session) -> None:
    """Links to another phone and invitations may have been used since; what was noted as due was noted by another clock.

    A delivery that was not tried may have been made since, so its next try is not its first.
    """
    db.execute(update(Request).where(Request.due_noted_at.is_not(None)).values(due_noted_at=None))
    db.execute(update(Request).where(Request.hand_over_hash.is_not(None)).values(hand_over_hash=None, hand_over_until=None))
    db.execute(delete(Invitation).where(Invitation.used_at.is_(None)))
    db.execute(update(Delivery).where(Delivery.fence == 0).values(fence=1))
    db.flush()


def _dead(request: Request) -> str:
    """What stands in the place of a token's hash: the hash of nothing."""
    return f"ended/{request.id}"
