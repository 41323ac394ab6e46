"""A manager has a delivery that waits for its next try made at once."""

from capture.services import Services
from capture.store import audit, deliveries


def hurry_delivery(services: Services, practice_id: str, delivery_id: str, *, actor: str) -> None:
    """Let the worker make it now. NotFound: not the practice's; Conflict: it does not wait for another try."""
    with services.database.write() as db:
        now = services.clock()
        request_id = deliveries.make_due(db, practice_id, delivery_id, now)
        audit.append(db, practice_id, actor=actor, action="delivery hurried", subject=request_id, at=now)
