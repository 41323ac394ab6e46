"""A manager or the operator has a delivery that waits, or was given up, made at once."""

from capture.services import Services
from capture.store import audit, deliveries


def hurry_delivery(services: Services, practice_id: str, delivery_id: str, *, actor: str) -> None:
    """Let the worker make it now. NotFound: not the practice's; Conflict: it does not wait for another try, or is being tried."""
    with services.database.write() as db:
        now = services.clock()
        request_id, state = deliveries.make_due(db, practice_id, delivery_id, now)
        action = "delivery again" if state == "given up" else "delivery hurried"
        audit.append(db, practice_id, actor=actor, action=action, subject=request_id, at=now)
