"""The audit trail: a hash chain for each practice, written in the transaction of the act itself, without patient data.

The hash of an event is SHA-256 over its fields as JSON and the hash before it, so that an edited, deleted or reordered event
is found by `check_chain`, and a cut-off end by the head.
"""

import hashlib
import json
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from capture.store.models import AuditEvent, AuditHead


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


def event_hash(event: AuditEvent) -> str:
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


def check_chain(db: Session, practice_id: str) -> str:
    """What is wrong with a practice's chain, in one sentence; empty when nothing is."""
    previous, number = "", 0
    for event in db.scalars(select(AuditEvent).where(AuditEvent.practice_id == practice_id).order_by(AuditEvent.number)):
        number += 1
        if event.number != number or event.previous != previous:
            return f"event {number} is missing or out of order"
        if event.hash != event_hash(event):
            return f"event {number} was altered"
        previous = event.hash
    head = db.get(AuditHead, practice_id)
    if head is None:
        return "the end of the chain is missing"
    return "" if (head.number, head.hash) == (number, previous) else f"the chain ends at event {number}, not {head.number}"
