"""Ask once more for photos that were sent and cannot be used: a request of the same case, for those views alone."""

from dataclasses import dataclass, replace

from capture.actions.issue_link import Issued, write_request
from capture.actions.send_link import queue_link
from capture.domain.again import check_again, check_can_ask_again
from capture.domain.requests import State
from capture.services import Services
from capture.store import audit, requests
from capture.store.models import Practice, Request, new_id


@dataclass(frozen=True)
class Again:
    """What a member chooses: ids of views, why (a key of domain.again.REASONS); the others as in issue_link.Draft."""

    views: tuple[str, ...]
    reason: str
    days: int
    key: str
    phone: str = ""
    email: str = ""


def ask_again(
    services: Services,
    practice_id: str,
    request_id: str,
    again: Again,
    *,
    actor: str,
    member_id: str | None = None,
    asked_by: str = "",
) -> Issued:
    """Issue a request for those views of an earlier one, which it follows and whose case it joins.

    The date of birth need not be typed again: nobody knows it here, but every request of a case keeps it hashed under the case's id
    (`Request.case`), so the hash can be taken over as it is. It is as costly to guess as before, and that two requests are about
    one patient is what `case_id` says anyway (SECURITY 4). The age group is that of the earlier request, the stricter one if a
    birthday lies between.

    Raises NotFound, NotAllowed, Unavailable without a valid key, Conflict when nothing was sent or this form has issued its link.
    """
    with services.database.write() as db:
        earlier = requests.find_request(db, practice_id, request_id)
        check_can_ask_again(State(earlier.state))
        details = requests.details_of(db, earlier)
        offered = [view for view in services.catalogue.views_of(details.protocol, earlier.views) if not view.extra]
        allowed = db.get_one(Practice, practice_id).intimate_allowed
        site = services.catalogue.site(details.site)
        check_again(site, details.age_group, offered, again.views, again.reason, allowed=allowed)
        request = Request(
            id=new_id(),
            practice_id=practice_id,
            issued_by=member_id,
            issue_key=again.key,
            case_id=earlier.case,
            views=" ".join(view.id for view in offered if view.id in again.views),
            dob_hash=earlier.dob_hash,
        )
        details = replace(details, asked_by=asked_by, follows=earlier.receipt, message="", again=again.reason, call="")
        audit.append(db, practice_id, actor=actor, action="photos asked again", subject=request_id, at=services.clock())
        issued = write_request(services, db, request, details, days=again.days, actor=actor)
        queue_link(services, db, request, issued.link, to_phone=again.phone, to_email=again.email)
        return issued
