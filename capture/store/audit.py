"""The audit trail: a hash chain for each practice, written in the transaction of the act itself, without patient data.

The hash of an event is SHA-256 over its fields as JSON and the hash before it, so that an edited, deleted or reordered event
is found by `check_chain`, and a cut-off end by the head. Who rewrites chain and head together is found by audit_heads.py.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.orm import Session

from capture.store import tokens
from capture.store.models import AuditEvent, AuditHead, Member, Request

_AT_ONCE = 500


def append(db: Session, practice_id: str, *, actor: str, action: str, subject: str, at: datetime, **facts: str | int) -> AuditEvent:
    """Add an event to the practice's chain. `facts` are counts and names of things, never anything of a patient."""
    head = db.scalars(select(AuditHead).where(AuditHead.practice_id == practice_id).with_for_update()).one()
    event = AuditEvent(
        practice_id=practice_id,
        number=head.number + 1,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        facts=json.dumps(facts, sort_keys=True),
        previous=head.hash,
    )
    event.hash = event_hash(event)
    head.number, head.hash = event.number, event.hash
    db.add(event)
    return event


def event_hash(event: AuditEvent | Row[Any]) -> str:
    """SHA-256 in hex over the event and its predecessor's hash."""
    fields = [
        event.practice_id,
        event.number,
        event.at.astimezone(UTC).isoformat(),
        event.actor,
        event.action,
        event.subject,
        event.facts,
        event.previous,
    ]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def list_events(db: Session, practice_id: str, subject: str) -> list[AuditEvent]:
    """The events about one thing, oldest first."""
    query = select(AuditEvent).where(AuditEvent.practice_id == practice_id, AuditEvent.subject == subject)
    return list(db.scalars(query.order_by(AuditEvent.number)))


@dataclass(frozen=True)
class Wanted:
    """What to look for in a trail; what is empty or None is left open. `since` belongs to it, `until` does not."""

    action: str = ""
    actor: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None


def search(db: Session, practice_id: str, wanted: Wanted, *, before: int | None, limit: int) -> list[AuditEvent]:
    """The practice's newest events that are wanted, with numbers under `before` (None: any), newest first."""
    query = select(AuditEvent).where(AuditEvent.practice_id == practice_id)
    for column, value in (
        (AuditEvent.action, wanted.action),
        (AuditEvent.actor, wanted.actor),
        (AuditEvent.subject, wanted.subject),
    ):
        query = query.where(column == value) if value else query
    if wanted.since:
        query = query.where(AuditEvent.at >= wanted.since)
    if wanted.until:
        query = query.where(AuditEvent.at < wanted.until)
    if before is not None:
        query = query.where(AuditEvent.number < before)
    return list(db.scalars(query.order_by(AuditEvent.number.desc()).limit(limit)))


def list_actions(db: Session, practice_id: str) -> list[str]:
    """The kinds of events that the practice's trail has, by name."""
    return list(db.scalars(select(AuditEvent.action).where(AuditEvent.practice_id == practice_id).distinct().order_by("action")))


def list_actors(db: Session, practice_id: str) -> list[str]:
    """Who has done anything in the practice: ids of members, and words for others, such as `patient`."""
    return list(db.scalars(select(AuditEvent.actor).where(AuditEvent.practice_id == practice_id).distinct()))


def names_of(db: Session, practice_id: str, ids: Collection[str]) -> dict[str, str]:
    """Of these ids those of members and tokens, with their names, and those of the practice's requests, with their receipts."""
    members = db.execute(select(Member.id, Member.name).where(Member.id.in_(ids)))
    requests = db.execute(select(Request.id, Request.receipt).where(Request.practice_id == practice_id, Request.id.in_(ids)))
    return {row[0]: row[1] for row in (*members, *requests)} | tokens.names_of(db, ids)


def span(db: Session, practice_id: str) -> tuple[int, datetime | None, datetime | None]:
    """How many events the practice's trail has, and when the first and the last of them were."""
    found = select(func.count(), func.min(AuditEvent.at), func.max(AuditEvent.at)).where(AuditEvent.practice_id == practice_id)
    count, first, last = db.execute(found).one()
    return count, first, last


def has_all(db: Session, ends: Collection[tuple[str, int, str]]) -> bool:
    """Whether the trails hold every one of these events: practice, number, hash."""
    event = tuple_(AuditEvent.practice_id, AuditEvent.number, AuditEvent.hash)
    found, left = 0, iter(ends)
    while some := list(islice(left, _AT_ONCE)):
        found += db.scalar(select(func.count()).select_from(AuditEvent).where(event.in_(some))) or 0
    return found == len(ends)


def check_chain(db: Session, practice_id: str, noted: Mapping[int, str] | None = None, *, newest: int | None = None) -> str:
    """What is wrong with a practice's chain, in one sentence; empty when nothing is.

    `noted` are hashes of some of its events, by number, as they were written down elsewhere. Events may be added meanwhile.
    With `newest` only so many events at its end are looked at, and those before are taken as they are.
    """
    elsewhere, head = dict(noted or {}), db.get(AuditHead, practice_id)
    number = max(0, head.number - newest) if head and newest else 0
    before = db.get(AuditEvent, (practice_id, number)) if number else None
    previous = before.hash if before else ""
    query = select(*AuditEvent.__table__.columns).where(AuditEvent.practice_id == practice_id, AuditEvent.number > number)
    query = query.order_by(AuditEvent.number)
    with db.execute(query.execution_options(yield_per=1_000)) as events:  # rows, since a year of objects would take seconds
        for event in events:
            number += 1
            if event.number != number or event.previous != previous:
                return f"event {number} is missing or out of order"
            if event.hash != event_hash(event):
                return f"event {number} was altered"
            if elsewhere.pop(number, event.hash) != event.hash:
                return f"event {number} is another than the one that was noted outside the database"
            previous = event.hash
    if head is None:
        return "the end of the chain is missing"
    grew = head.number < number
    if grew:  # each event is added together with its head, so the head that is there by now knows at least as many
        db.refresh(head)
    if (head.number, head.hash) != (number, previous) and not (grew and head.number > number):
        return f"the chain ends at event {number}, not {head.number}"
    return f"event {max(elsewhere)} was noted outside the database, but the chain ends at event {number}" if elsewhere else ""
