"""A manager changes what a member may do, or takes a member out of the practice."""

from sqlalchemy.orm import Session

from capture.actions.change_keys import take_back
from capture.services import Services
from capture.store import audit, invitations, key_changes, members, recipients, requests, sessions, tokens, unlockers
from capture.store.journal import MEMBER, TOKEN


def change_role(services: Services, practice_id: str, member_id: str, role: str, *, actor: str) -> None:
    """Give another role, from the next page on. NotFound; Conflict: no such role; NotAllowed: the last manager."""
    with services.database.write() as db:
        if role != "manager":
            _end_prepared(services, db, practice_id, member_id, actor)
        before = members.change_role(db, practice_id, member_id, role)
        now = services.clock()
        audit.append(db, practice_id, actor=actor, action="role changed", subject=member_id, at=now, role=role, before=before)


def remove_member(services: Services, practice_id: str, member_id: str, *, actor: str) -> None:
    """Take a member out; the sessions in this practice end at once (SECURITY 26). Errors as above."""
    with services.database.write() as db:
        _end_prepared(services, db, practice_id, member_id, actor)
        members.change_role(db, practice_id, member_id, None)
        sessions.end_sessions_of_member(db, member_id, practice_id=practice_id)
        unlockers.delete_unlockers(db, practice_id, member_id)
        event = audit.append(db, practice_id, actor=actor, action="member removed", subject=member_id, at=services.clock())
        requests.note_ending(db, event, MEMBER)


def _end_prepared(services: Services, db: Session, practice_id: str, member_id: str, actor: str) -> None:
    """End what a manager could come back by: invitations, tokens, a change of keys that waits.

    Where a key was edited the change stays as it is: it cannot be confirmed, and the member goes all the same.
    """
    now = services.clock()
    change = key_changes.waiting_change(db, practice_id)
    if change and change.proposed_by == member_id and recipients.is_live(db, practice_id):
        take_back(services, db, change, actor=actor)
    for invitation_id in invitations.delete_invitations_by(db, practice_id, member_id):
        audit.append(db, practice_id, actor=actor, action="invitation withdrawn", subject=invitation_id, at=now)
    for token in tokens.list_tokens(db, practice_id):
        if token.made_by == member_id and tokens.revoke(db, practice_id, token.id, now):
            event = audit.append(db, practice_id, actor=actor, action="token revoked", subject=token.id, at=now)
            requests.note_ending(db, event, TOKEN)
