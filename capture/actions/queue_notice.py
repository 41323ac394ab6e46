"""Tell a practice's staff by e-mail that there is something to look at: never who or what, at most once an hour for each kind.

The receipt of photos that arrived is all that a notice ever names.
"""

from datetime import timedelta

from sqlalchemy.orm import Session

from capture.domain.messages import NOTICE_SUBJECT, notice
from capture.services import Services
from capture.store.members import list_members
from capture.store.messages import last_wanted, queue_message, reword
from capture.store.models import Practice

AT_MOST_EVERY = timedelta(hours=1)


def queue_arrival(services: Services, db: Session, practice: Practice, receipt: str) -> None:
    """Queue the notice that photos arrived, for a practice that named an address and wants it; as `queue_notice` does."""
    if practice.notice_email and practice.notice_arrived:
        queue_notice(services, db, practice, "arrived", receipt)


def queue_notice(services: Services, db: Session, practice: Practice, kind: str, receipt: str = "") -> None:
    """Queue a notice of that kind (see domain.messages.NOTICES), in the caller's transaction.

    What happens within an hour of the last one, or while that is being sent, waits for the end of that hour, all in one, which
    names the newest receipt. Where
    the practice named no address its managers are told, so that somebody is. Does nothing where no e-mail is configured.
    """
    if "email" not in services.messengers:
        return
    due_at = now = services.clock()
    text = notice(kind, f"{services.settings.origin}/staff/", receipt)
    if wanted_at := last_wanted(db, practice.id, f"notice-{kind}", now):
        if reword(db, practice.id, f"notice-{kind}", wanted_at, text):
            return
        due_at = max(now, wanted_at + AT_MOST_EVERY)
    managers = [member.email for member, role in list_members(db, practice.id) if role == "manager"]
    for address in [practice.notice_email] if practice.notice_email else managers:
        queue_message(
            db,
            practice_id=practice.id,
            request_id=None,
            kind=f"notice-{kind}",
            channel="email",
            to=address,
            subject=NOTICE_SUBJECT,
            text=text,
            due_at=due_at,
        )
