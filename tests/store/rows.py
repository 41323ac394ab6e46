"""Rows for the tests of the store."""

from datetime import timedelta

from sqlalchemy.orm import Session

from capture.domain.requests import State
from capture.store.deliveries import queue
from capture.store.models import Bundle, Delivery, Photo, Request, new_id
from capture.store.photos import insert_photo
from capture.store.requests import Details, insert_request
from tests.store.conftest import NOW

DETAILS = Details("Mrs Ada Byron", "EMIS 12345", "back-of-forearm", "left", "lesion", "Dr Sam Okafor")


def add_request(db: Session, practice_id: str, state: State = State.SENT, **changes: object) -> Request:
    request = Request(
        id=new_id(),
        practice_id=practice_id,
        issue_key=new_id(),
        state=state,
        receipt=new_id()[:7],
        token_hash=new_id(),
        dob_hash="not a hash",
        issued_at=NOW,
        changed_at=NOW,
        expires_at=NOW + timedelta(days=7),
    )
    for name, value in changes.items():
        setattr(request, name, value)
    insert_request(db, request, DETAILS)
    return request


def add_photo(db: Session, request: Request, view: str = "context", **changes: object) -> Photo:
    photo = Photo(id=new_id(), request_id=request.id, view=view, blob="b", sealed_size=9, sealed_sha256="c", arrived_at=NOW)
    for name, value in changes.items():
        setattr(photo, name, value)
    insert_photo(db, photo, {"size": 7})
    return photo


def add_bundle(db: Session, request: Request, inboxes: tuple[str, ...] = ("web",), number: int | None = None) -> Bundle:
    """The bundle of a request, with a delivery that is due now for each inbox."""
    bundle = Bundle(
        id=new_id(),
        practice_id=request.practice_id,
        request_id=request.id,
        manifest=b"{}",
        signature=b"s",
        request_part=b"r",
        created_at=NOW,
    )
    db.add(bundle)
    db.flush()
    queue(db, bundle, inboxes, db.query(Delivery).count() if number is None else number, NOW)
    return bundle


def add_deliveries(db: Session, practice_id: str, count: int) -> list[str]:
    """That many deliveries of bundles of their own, each to an inbox of its own; the bundles' ids, those due longest first."""
    bundles = [add_bundle(db, add_request(db, practice_id, State.SUBMITTED), (f"inbox-{n}",)).id for n in range(count)]
    for number, delivery in enumerate(db.query(Delivery).all()):
        delivery.due_at = NOW - timedelta(seconds=count - number)
    db.flush()
    return [delivery.bundle_id for delivery in db.query(Delivery).order_by(Delivery.due_at)] if bundles else []
