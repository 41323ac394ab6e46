"""Deletion in time: which requests are due, what of a request goes, and which sealed parts are still to be removed."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain, islice

from sqlalchemy import ColumnElement, String, and_, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.domain.requests import State
from capture.domain.retention import CONFIRM_AFTER, KEEP_UNFINISHED, UNFINISHED
from capture.store import sessions
from capture.store.messages import MessageRow
from capture.store.models import Base, Bundle, Delivery, Photo, Practice, Request
from capture.store.requests import Details, seal_details


class BlobDeletion(Base):
    """A sealed part that belongs to nothing any more, until it is gone from the blob store too."""

    __tablename__ = "blob_deletions"
    blob: Mapped[str] = mapped_column(String(100), primary_key=True)


def note_due(db: Session, now: datetime, limit: int) -> int:
    """Note of requests that are due that they are; gives of how many. Notes made by a clock that ran ahead are forgotten."""
    db.execute(update(Request).where(Request.due_noted_at > now).values(due_noted_at=None))
    noted = 0
    for is_due in _rules(db, now):
        query = select(Request).where(is_due, Request.due_noted_at.is_(None)).order_by(Request.changed_at)
        for request in db.scalars(query.limit(limit - noted).with_for_update(skip_locked=True)):
            request.due_noted_at = now
            noted += 1
        if noted == limit:
            break
    db.flush()
    return noted


def list_due(db: Session, now: datetime, limit: int) -> list[str]:
    """The ids of requests whose time is over by the rules as they are now, whoever has noted it."""
    found = (db.scalars(select(Request.id).where(is_due).limit(limit)) for is_due in _rules(db, now))
    return list(islice(dict.fromkeys(chain.from_iterable(found)), limit))


def list_noted(db: Session, now: datetime, limit: int) -> list[str]:
    """The ids of requests that were noted as due a day ago, first the one that was noted first."""
    noted = select(Request.id).where(Request.due_noted_at <= now - CONFIRM_AFTER)
    return list(db.scalars(noted.order_by(Request.due_noted_at, Request.id).limit(limit)))


def erase(db: Session, request: Request) -> list[str]:
    """Take out of a request's rows all that is of the patient, and list its sealed parts for removal; their names.

    What stays says that there was a request: its receipt, state, times and counts, and those of its bundle and deliveries. A
    delivery that was not made is dropped.
    """
    blobs = list(db.scalars(select(Photo.blob).where(Photo.request_id == request.id)))
    list_blobs(db, blobs)
    db.execute(delete(Photo).where(Photo.request_id == request.id))
    emptied = {"manifest": b"", "signature": b"", "request_part": b""}
    db.execute(update(Bundle).where(Bundle.request_id == request.id).values(emptied))
    db.execute(delete(MessageRow).where(MessageRow.request_id == request.id))
    sessions.end_sessions_of_request(db, request.id)
    request.details_sealed = seal_details(db, request.id, Details("", "", "", "", "", ""))
    request.answers_sealed = request.hand_over_hash = request.hand_over_until = request.due_noted_at = None
    request.dob_hash = request.views = ""
    bundle = select(Bundle.id).where(Bundle.request_id == request.id).scalar_subquery()
    of_bundle = update(Delivery).where(Delivery.bundle_id == bundle, Delivery.state != "delivered")
    db.execute(of_bundle.values(state="dropped"))
    db.flush()
    return blobs


def list_blobs(db: Session, blobs: Iterable[str]) -> None:
    """List sealed parts for removal, in the transaction that takes them out of use; one that is listed already stays so."""
    wanted = set(blobs)
    known = set(db.scalars(select(BlobDeletion.blob).where(BlobDeletion.blob.in_(wanted))))
    db.add_all([BlobDeletion(blob=blob) for blob in sorted(wanted - known)])


def is_listed(db: Session, blob: str) -> bool:
    """Whether a sealed part is to be removed."""
    return db.get(BlobDeletion, blob, populate_existing=True) is not None


def next_blobs(db: Session, after: str, limit: int) -> list[str]:
    """Names of sealed parts that are to be removed, in order, those behind `after`."""
    query = select(BlobDeletion.blob).where(BlobDeletion.blob > after).order_by(BlobDeletion.blob)
    return list(db.scalars(query.limit(limit)))


def forget_blobs(db: Session, blobs: Iterable[str]) -> None:
    """Note that sealed parts are gone."""
    db.execute(delete(BlobDeletion).where(BlobDeletion.blob.in_(list(blobs))))


def _rules(db: Session, now: datetime) -> Iterable[ColumnElement[bool]]:
    """Which requests domain.retention.purge_due calls due: one condition for all that came to nothing, and one for each practice
    that has anything due by its own rules. Its oldest request in a state tells, which an index finds in one step: a condition on
    the times alone would look at whatever other practices keep for longer.
    """
    yield and_(Request.state.in_(sorted(UNFINISHED)), Request.changed_at <= now - KEEP_UNFINISHED)
    for state, days in ((State.ATTACHED, Practice.keep_attached_days), (State.COLLECTED, Practice.keep_collected_days)):
        theirs = and_(Request.practice_id == Practice.id, Request.state == state, Request.due_noted_at.is_(None))
        oldest = select(func.min(Request.changed_at)).where(theirs).correlate(Practice).scalar_subquery()
        for practice_id, kept, since in db.execute(select(Practice.id, days, oldest)).all():
            if since and since <= (end := now - timedelta(days=kept)):
                yield and_(Request.practice_id == practice_id, Request.state == state, Request.changed_at <= end)
