"""Messages on their way: texts and e-mails with links, reminders, notices, by the rules of outbox.py.

The vault seals whom a message goes to and what it says, and both are forgotten the moment it is handed over, given up or dropped:
a row that is not queued holds neither (ADR 9).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.domain.messages import OVER, REFUSED, describe
from capture.store.models import Base, Request, new_id
from capture.store.outbox import Outgoing, lease_row, settle

_FORGOTTEN = {"to_sealed": None, "text_sealed": None}


class MessageRow(Base, Outgoing):
    """One message. `state`: queued, sent (handed over), delivered, failed or dropped; `kind`: link, reminder, notice…"""

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_state_due_at", "state", "due_at"),
        Index("ix_messages_practice_id_kind_wanted_at", "practice_id", "kind", "wanted_at"),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"))
    request_id: Mapped[str | None] = mapped_column(ForeignKey("requests.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    channel: Mapped[str] = mapped_column(String(5))  # sms | email
    to_sealed: Mapped[bytes | None]
    text_sealed: Mapped[bytes | None]
    wanted_at: Mapped[datetime]  # when it was to go
    provider_id: Mapped[str] = mapped_column(String(100), default="")
    settled_at: Mapped[datetime | None]  # when it was sent, delivered or given up


@dataclass(frozen=True)
class Lease:
    """The right to send one message, until it runs out. `over_at` is when the link in it ends, if there is one."""

    message_id: str
    request_id: str | None
    kind: str
    channel: str
    attempts: int
    fence: int
    wanted_at: datetime
    over_at: datetime | None


@dataclass(frozen=True)
class Letter:
    """What a message says, and to whom."""

    to: str
    subject: str
    text: str


@dataclass(frozen=True)
class Step:
    """What became of a message, for the timeline of its request; `at` is when, or when it is to go if it still `waits`."""

    at: datetime
    text: str
    kind: str
    waits: bool


def queue_message(
    db: Session,
    *,
    practice_id: str,
    request_id: str | None,
    kind: str,
    channel: str,
    to: str,
    text: str,
    subject: str = "",
    due_at: datetime,
) -> str:
    """Put a message into the outbox, in the caller's transaction; its id. `channel` is "sms" or "email"."""
    row = MessageRow(id=new_id(), practice_id=practice_id, request_id=request_id, kind=kind, channel=channel, state="queued")
    row.due_at = row.wanted_at = due_at
    row.to_sealed = db.info["vault"].seal(to, f"messages.to/{row.id}")
    row.text_sealed = _seal_text(db, row.id, subject, text)
    db.add(row)
    db.flush()
    return row.id


def reword(db: Session, practice_id: str, kind: str, wanted_at: datetime, text: str) -> bool:
    """Let the practice's messages of that kind which were to go then say something newer; False where one of them is not there
    to be changed any more: it has gone, or is being sent.
    """
    of_kind = (MessageRow.practice_id == practice_id, MessageRow.kind == kind, MessageRow.wanted_at == wanted_at)
    rows = db.scalars(select(MessageRow).where(*of_kind).order_by(MessageRow.id).with_for_update()).all()
    if not all(row.text_sealed and (row.fence == 0 or row.last_error) for row in rows):
        return False
    for row in rows:
        subject, _ = db.info["vault"].open(row.text_sealed, f"messages.text/{row.id}")
        row.text_sealed = _seal_text(db, row.id, subject, text)
    db.flush()
    return True


def lease_due(db: Session, now: datetime) -> Lease | None:
    """Take the message that has been due longest, or None."""
    planned = (MessageRow.kind == "reminder") & (MessageRow.wanted_at > now)
    row = lease_row(db, MessageRow, now, planned=planned)
    if row is None:
        return None
    row.last_error = ""  # that of an earlier try; while there is none a message that was leased is being sent
    request = db.get(Request, row.request_id) if row.request_id else None
    over_at = request.expires_at if request else None
    return Lease(row.id, row.request_id, row.kind, row.channel, row.attempts, row.fence, row.wanted_at, over_at)


def letter_of(db: Session, lease: Lease) -> Letter | None:
    """Open what a leased message says; None when it was dropped meanwhile. CaptureError when it does not open."""
    row = db.get_one(MessageRow, lease.message_id)
    if row.to_sealed is None or row.text_sealed is None:
        return None
    vault = db.info["vault"]
    return Letter(vault.open(row.to_sealed, f"messages.to/{row.id}"), *vault.open(row.text_sealed, f"messages.text/{row.id}"))


def mark_sent(db: Session, lease: Lease, provider_id: str, now: datetime) -> bool:
    """Note that it was handed over, and forget to whom; False when the lease was lost or the message dropped."""
    return _close(db, lease, state="sent", provider_id=provider_id[:100], settled_at=now, last_error="")


def put_back(db: Session, lease: Lease, due_at: datetime, error: str) -> bool:
    """Try again later; `error` is a code, never text from outside."""
    return settle(db, MessageRow, lease.message_id, lease.fence, due_at=due_at, last_error=error)


def give_up(db: Session, lease: Lease, now: datetime, error: str) -> bool:
    """Note that it will not be sent, and forget to whom it was."""
    return _close(db, lease, state="failed", settled_at=now, last_error=error)


def drop_messages(db: Session, request_id: str, channel: str = "") -> None:
    """Forget what still waits to be sent about a request (by that channel): it was confirmed, cancelled, asked anew, or is over."""
    waiting = update(MessageRow).where(MessageRow.request_id == request_id, MessageRow.state == "queued")
    if channel:
        waiting = waiting.where(MessageRow.channel == channel)
    db.execute(waiting.values(state="dropped", **_FORGOTTEN))


def note_over(db: Session, request_id: str, now: datetime) -> None:
    """The link has ended: that it was still to be sent shows as failed, since nobody got it; a reminder is dropped."""
    unsent = update(MessageRow).where(MessageRow.request_id == request_id, MessageRow.state == "queued", MessageRow.kind == "link")
    db.execute(unsent.values(state="failed", settled_at=now, last_error=OVER, **_FORGOTTEN))
    drop_messages(db, request_id)


def note_delivery(db: Session, message_id: str, now: datetime, error: str = "") -> bool:
    """Note what the carrier says became of a message, once: delivered, or failed for a reason; False when that is known.

    A number that is not right gets no reminder either.
    """
    unsettled = update(MessageRow).where(MessageRow.id == message_id, MessageRow.state.in_(("queued", "sent")))
    values = {"state": "failed" if error else "delivered", "settled_at": now, "last_error": error, **_FORGOTTEN}
    row = db.scalars(unsettled.values(values).returning(MessageRow)).first()
    if row and row.request_id and error in REFUSED:
        drop_messages(db, row.request_id, row.channel)
    return row is not None


def list_messages(db: Session, request_id: str) -> list[Step]:
    """What became of each message about a request, oldest first; those that were dropped are left out."""
    query = select(MessageRow).where(MessageRow.request_id == request_id, MessageRow.state != "dropped")
    rows = db.scalars(query.order_by(MessageRow.wanted_at, MessageRow.channel.desc(), MessageRow.id))
    return [_step(row) for row in rows]


def last_wanted(db: Session, practice_id: str, kind: str, now: datetime) -> datetime | None:
    """When the practice's newest message of that kind was to go.

    What has gone at a time that is still to come, by a clock that was ahead, says nothing.
    """
    query = select(MessageRow.wanted_at).where(MessageRow.practice_id == practice_id, MessageRow.kind == kind)
    query = query.where(or_(MessageRow.state == "queued", MessageRow.wanted_at <= now))
    return db.scalars(query.order_by(MessageRow.wanted_at.desc()).limit(1)).first()


def _step(row: MessageRow) -> Step:
    text = describe(row.kind, row.channel, row.state, row.last_error)
    return Step(row.settled_at or row.wanted_at, text, row.kind, row.state == "queued")


def _seal_text(db: Session, row_id: str, subject: str, text: str) -> bytes:
    sealed: bytes = db.info["vault"].seal([subject, text], f"messages.text/{row_id}")
    return sealed


def _close(db: Session, lease: Lease, **values: object) -> bool:
    return settle(db, MessageRow, lease.message_id, lease.fence, **_FORGOTTEN, **values)
