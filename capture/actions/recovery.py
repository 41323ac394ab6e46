"""A member gets new recovery codes."""

from capture.services import Services
from capture.store import audit, recovery_codes


def renew_codes(services: Services, member_id: str, practice_id: str) -> list[str]:
    """Ten new codes, to be shown once; those from before end."""
    with services.database.write() as db:
        audit.append(db, practice_id, actor=member_id, action="recovery codes made", subject=member_id, at=services.clock())
        return recovery_codes.replace_codes(db, member_id)
