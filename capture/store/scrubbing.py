"""The scrub's memory: how far it has come, and which sealed parts it found damaged or missing."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, String, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.domain.scrubbing import BEGIN
from capture.store.models import Base, Photo, Practice, Request


class Damage(Base):
    """A sealed part that is not as it was sealed, for as long as it is so; the row goes with the photo's."""

    __tablename__ = "damages"
    photo_id: Mapped[str] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True)
    code: Mapped[str] = mapped_column(String(20))  # part-missing | part-altered | part-unreadable
    found_at: Mapped[datetime]


class ScrubRound(Base):
    """How far one round has come, of the scrub or of the removal of parts: everything up to `position` was looked at."""

    __tablename__ = "scrub_rounds"
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)  # parts | names | removals
    position: Mapped[str] = mapped_column(String(100))
    began_at: Mapped[datetime]


@dataclass(frozen=True)
class StoredPart:
    """A sealed part as its row has it; its size in bytes, its SHA-256 in hex."""

    photo_id: str
    request_id: str
    view: str
    blob: str
    size: int
    sha256: str


_COLUMNS = (Photo.id, Photo.request_id, Photo.view, Photo.blob, Photo.sealed_size, Photo.sealed_sha256)


def begin_round(db: Session, kind: str, now: datetime) -> ScrubRound:
    """Begin a round anew, or the first one."""
    found = db.get(ScrubRound, kind, with_for_update=True) or ScrubRound(kind=kind)
    found.position, found.began_at = BEGIN, now
    db.add(found)
    db.flush()
    return found


def find_round(db: Session, kind: str) -> ScrubRound | None:
    """Where the round is."""
    return db.get(ScrubRound, kind)


def advance(db: Session, kind: str, before: str, position: str) -> None:
    """Note how far the round has come, unless another worker has brought it on from `before` meanwhile."""
    held = update(ScrubRound).where(ScrubRound.kind == kind, ScrubRound.position == before)
    db.execute(held.values(position=position))


def next_parts(db: Session, after: str, until: str, limit: int) -> list[StoredPart]:
    """Parts that belong to photos which count, by the photos' ids: those behind `after` and before `until`."""
    query = select(*_COLUMNS).where(Photo.id > after, Photo.id < until, Photo.replaced.is_(False))
    return [StoredPart(*row) for row in db.execute(query.order_by(Photo.id).limit(limit))]


def every_part(db: Session) -> Iterator[StoredPart]:
    """Each part that belongs to a photo which counts."""
    query = select(*_COLUMNS).where(Photo.replaced.is_(False)).order_by(Photo.id)
    with db.execute(query.execution_options(yield_per=1_000)) as rows:
        for row in rows:
            yield StoredPart(*row)


def stored_bytes(db: Session) -> int:
    """The sizes of all parts that belong to photos which count."""
    return int(db.scalar(select(func.sum(Photo.sealed_size)).where(Photo.replaced.is_(False))) or 0)


def named_blobs(db: Session, blobs: Collection[str]) -> set[str]:
    """Those of these parts that a photo which counts names."""
    of_requests = {name.partition("/")[0] for name in blobs}
    query = select(Photo.blob).where(Photo.request_id.in_(of_requests), Photo.blob.in_(blobs), Photo.replaced.is_(False))
    return set(db.scalars(query))


def find_damage(db: Session, photo_id: str) -> Damage | None:
    """What is known to be wrong with a photo's part."""
    return db.get(Damage, photo_id, populate_existing=True)


def note_damage(db: Session, part: StoredPart, code: str, now: datetime) -> bool:
    """Note what a look at a part found, "" when it is whole; False when that was known, or the photo no longer counts."""
    photo = db.get(Photo, part.photo_id, populate_existing=True)
    known = find_damage(db, part.photo_id)
    if photo is None or photo.replaced or (known.code if known else "") == code:
        return False
    if known:
        db.delete(known)
        db.flush()
    if code:
        db.add(Damage(photo_id=part.photo_id, code=code, found_at=now))
    db.flush()
    return True


def damages_of(db: Session, request_ids: Collection[str]) -> Mapping[str, list[tuple[Photo, Damage]]]:
    """The damaged parts of each of these requests that has any."""
    query = select(Photo, Damage).join(Damage, Damage.photo_id == Photo.id).where(Photo.request_id.in_(request_ids))
    found: dict[str, list[tuple[Photo, Damage]]] = {}
    for photo, damage in db.execute(query.order_by(Photo.arrived_at, Photo.id)):
        found.setdefault(photo.request_id, []).append((photo, damage))
    return found


def list_damages(db: Session, limit: int | None = None) -> list[tuple[str, str, str, StoredPart]]:
    """Damaged parts for the operator, those found first on top: the practice's ODS code, the receipt, the code, the part."""
    query = select(Practice.ods, Request.receipt, Damage.code, *_COLUMNS).join(Photo, Photo.id == Damage.photo_id)
    query = query.join(Request, Request.id == Photo.request_id).join(Practice, Practice.id == Request.practice_id)
    rows = db.execute(query.order_by(Damage.found_at, Damage.photo_id).limit(limit))
    return [(row[0], row[1], row[2], StoredPart(*row[3:])) for row in rows]
