"""Tests of keys: what only the holder of an identity can answer. The answered ones are the record of proofs and drills."""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.store.models import Base, RecipientRow, new_id

LIFETIME = timedelta(days=7)
"""How long an answer is waited for: an operator sends the test and gets the answer by phone or post."""


class KeyTest(Base):
    """One random answer, sealed to one recipient; here only its SHA-256. `answered_by` is a member's id or `operator`."""

    __tablename__ = "key_tests"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    recipient_id: Mapped[str] = mapped_column(ForeignKey("recipients.id"), index=True)
    answer_hash: Mapped[str] = mapped_column(String(64), unique=True)
    asked_at: Mapped[datetime]
    answered_by: Mapped[str] = mapped_column(String(80), default="")
    answered_at: Mapped[datetime | None]


def insert_test(db: Session, recipient_id: str, answer: str, now: datetime) -> None:
    """Remember what the recipient's identity must answer; those that nobody answered in time are swept away on the way."""
    late = (KeyTest.recipient_id == recipient_id, KeyTest.answered_at.is_(None), KeyTest.asked_at < now - LIFETIME)
    db.execute(delete(KeyTest).where(*late))
    db.add(KeyTest(recipient_id=recipient_id, answer_hash=_hash(answer), asked_at=now))
    db.flush()


def find_waiting(db: Session, practice_id: str, untrusted_answer: str, now: datetime) -> KeyTest | None:
    """The test of this practice that has this answer and was not answered yet, locked; None when there is none."""
    query = select(KeyTest).join(RecipientRow, RecipientRow.id == KeyTest.recipient_id).with_for_update(of=KeyTest)
    mine = (RecipientRow.practice_id == practice_id, KeyTest.answered_at.is_(None), KeyTest.asked_at >= now - LIFETIME)
    return db.scalars(query.where(KeyTest.answer_hash == _hash(untrusted_answer), *mine)).first()


def list_answered(db: Session, practice_id: str) -> list[tuple[KeyTest, RecipientRow]]:
    """Every test of the practice's keys that was answered, newest first."""
    query = select(KeyTest, RecipientRow).join(RecipientRow, RecipientRow.id == KeyTest.recipient_id)
    mine = query.where(RecipientRow.practice_id == practice_id, KeyTest.answered_at.is_not(None))
    return [(test, row) for test, row in db.execute(mine.order_by(KeyTest.answered_at.desc(), KeyTest.id))]


def forget_tests(db: Session, recipient_id: str) -> None:
    """Forget the tests of a key that is taken away."""
    db.execute(delete(KeyTest).where(KeyTest.recipient_id == recipient_id))


def _hash(answer: str) -> str:
    return hashlib.sha256(answer.encode("utf-8", "replace")).hexdigest()
