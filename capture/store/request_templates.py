"""Templates of requests: what a practice often asks for, so that asking again takes a name and a date of birth. No patient data."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.errors import NotFound
from capture.store.models import Base, new_id


class RequestTemplate(Base):
    """One saved choice of place, photos, message and days; its name is unique in the practice."""

    __tablename__ = "request_templates"
    __table_args__ = (UniqueConstraint("practice_id", "name"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"))
    name: Mapped[str] = mapped_column(String(60))
    site: Mapped[str] = mapped_column(String(40))
    side: Mapped[str] = mapped_column(String(5))
    protocol: Mapped[str] = mapped_column(String(40))
    message: Mapped[str] = mapped_column(String(300))
    days: Mapped[int]
    changed_at: Mapped[datetime]


def list_templates(db: Session, practice_id: str) -> list[RequestTemplate]:
    """A practice's templates, by name."""
    query = select(RequestTemplate).where(RequestTemplate.practice_id == practice_id)
    return list(db.scalars(query.order_by(RequestTemplate.name)))


def find_template(db: Session, practice_id: str, template_id: str) -> RequestTemplate:
    """A template of that practice; another practice's is NotFound (SECURITY 28)."""
    template = db.get(RequestTemplate, template_id)
    if template is None or template.practice_id != practice_id:
        raise NotFound
    return template


def put_template(
    db: Session, practice_id: str, *, name: str, site: str, side: str, protocol: str, message: str, days: int, now: datetime
) -> RequestTemplate:
    """Save a template; one of the same name is replaced."""
    query = select(RequestTemplate).where(RequestTemplate.practice_id == practice_id, RequestTemplate.name == name)
    template = db.scalars(query.with_for_update()).first() or RequestTemplate(practice_id=practice_id, name=name)
    template.site, template.side, template.protocol = site, side, protocol
    template.message, template.days, template.changed_at = message, days, now
    db.add(template)
    db.flush()
    return template
