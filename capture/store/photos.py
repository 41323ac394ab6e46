"""Photos that have arrived, and the bundles made of them."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from capture.domain.requests import State
from capture.errors import NotFound, PhotosDeleted
from capture.store.models import Bundle, Photo, Request

UNREAD = (State.SUBMITTED, State.DELIVERED)
"""The states of a request whose photos nobody has opened."""


def insert_photo(db: Session, photo: Photo, facts: dict[str, Any]) -> None:
    """Add a photo with what is known of it (its report, clean size and hash) sealed to its row."""
    set_facts(db, photo, facts)
    db.add(photo)
    db.flush()


def set_facts(db: Session, photo: Photo, facts: dict[str, Any]) -> None:
    """Seal what is known of a photo to its row, in place of what was known before."""
    photo.facts_sealed = db.info["vault"].seal(facts, f"photos.facts/{photo.id}")


def facts_of(db: Session, photo: Photo) -> dict[str, Any]:
    """Open what is known of a photo."""
    facts: dict[str, Any] = db.info["vault"].open(photo.facts_sealed, f"photos.facts/{photo.id}")
    return facts


def find_photo(db: Session, photo_id: str) -> Photo | None:
    """By the id that the phone chose."""
    return db.get(Photo, photo_id)


def current_photos(db: Session, request_id: str) -> list[Photo]:
    """The photos that would be sent now: for each view the one that was not replaced, in the order of arrival."""
    query = select(Photo).where(Photo.request_id == request_id, Photo.replaced.is_(False))
    return list(db.scalars(query.order_by(Photo.arrived_at, Photo.id)))


def count_photos(db: Session, request_id: str, view: str | None = None) -> int:
    """All that ever arrived for a request, or for one view of it, replaced ones too: what the quota counts."""
    query = select(func.count()).select_from(Photo).where(Photo.request_id == request_id)
    return db.scalar(query if view is None else query.where(Photo.view == view)) or 0


def find_bundle(db: Session, practice_id: str, bundle_id: str) -> Bundle:
    """A bundle of that practice; another practice's is NotFound (SECURITY 28), one whose time is over PhotosDeleted."""
    bundle = db.get(Bundle, bundle_id)
    if bundle is None or bundle.practice_id != practice_id:
        raise NotFound
    check_kept(bundle)
    return bundle


def check_kept(bundle: Bundle) -> None:
    """PhotosDeleted when only the times of the bundle are left (store/deletions.py)."""
    if not bundle.manifest:
        raise PhotosDeleted


def bundle_of_request(db: Session, request_id: str) -> Bundle | None:
    """The bundle that a request became, if it was sent."""
    return db.scalars(select(Bundle).where(Bundle.request_id == request_id)).first()


def list_unread(db: Session, practice_id: str) -> list[Bundle]:
    """A practice's bundles that nobody has opened, first the one that has waited longest."""
    query = select(Bundle).join(Request, Request.id == Bundle.request_id)
    query = query.where(Request.practice_id == practice_id, Request.state.in_(UNREAD))
    return list(db.scalars(query.order_by(Request.submitted_at, Bundle.id)))
