"""Send a patient the link: now, and once more if it is not used. What is queued here is dropped when the request moves on."""

from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from capture.domain.messages import email_subject, email_text, reminder, text_message
from capture.services import Services
from capture.store.messages import drop_messages, queue_message
from capture.store.models import Practice, Request


def queue_link(services: Services, db: Session, request: Request, link: str, *, to_phone: str = "", to_email: str = "") -> None:
    """Queue the link as a text, an e-mail or both, in the caller's transaction, with one reminder of each.

    `to_phone` is international (+447911123456); what no messenger is configured for is left out. A link that was queued for the
    same request before is dropped: it is dead. The reminder is due after the practice's `remind_days`, if the link works then.
    """
    now, practice = services.clock(), db.get_one(Practice, request.practice_id)
    drop_messages(db, request.id)
    remind_at = now + timedelta(days=practice.remind_days)
    times = {"link": now}
    if practice.remind_days and remind_at < request.expires_at:
        times["reminder"] = remind_at
    until = f"{request.expires_at:%-d %B %Y}"
    for kind, due_at in times.items():
        again = kind == "reminder"
        queue = partial(queue_message, db, practice_id=practice.id, request_id=request.id, kind=kind, due_at=due_at)
        if to_phone and "sms" in services.messengers:
            queue(channel="sms", to=to_phone, text=(reminder if again else text_message)(practice.name, link))
        if to_email and "email" in services.messengers:
            text = email_text(practice.name, practice.phone, link, until, again=again)
            queue(channel="email", to=to_email, subject=email_subject(practice.name, again=again), text=text)
