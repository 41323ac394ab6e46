"""A practice decides whether adults may be asked for photos of intimate places."""

from capture.services import Services
from capture.store import audit, practices


def allow_intimate(services: Services, ods: str, allowed: bool, *, actor: str = "operator") -> None:
    """Switch it on or off for requests from now on; the change is audited. Raises NotFound."""
    with services.database.write() as db:
        practice = practices.find_practice(db, ods)
        if practice.intimate_allowed == allowed:
            return
        practice.intimate_allowed = allowed
        action = f"intimate places {'on' if allowed else 'off'}"
        audit.append(db, practice.id, actor=actor, action=action, subject=practice.id, at=services.clock())
