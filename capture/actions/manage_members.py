"""A manager changes what a member may do, or takes a member out of the practice."""

from capture.services import Services
from capture.store import audit, members, sessions, unlockers


def change_role(services: Services, practice_id: str, member_id: str, role: str, *, actor: str) -> None:
    """Give another role, from the next page on. NotFound; Conflict: no such role; NotAllowed: the last manager."""
    with services.database.write() as db:
        before = members.change_role(db, practice_id, member_id, role)
        now = services.clock()
        audit.append(db, practice_id, actor=actor, action="role changed", subject=member_id, at=now, role=role, before=before)


def remove_member(services: Services, practice_id: str, member_id: str, *, actor: str) -> None:
    """Take a member out; the sessions in this practice end at once (SECURITY 26). Errors as above."""
    with services.database.write() as db:
        members.change_role(db, practice_id, member_id, None)
        sessions.end_sessions_of_member(db, member_id, practice_id=practice_id)
        unlockers.delete_unlockers(db, practice_id, member_id)
        audit.append(db, practice_id, actor=actor, action="member removed", subject=member_id, at=services.clock())
