"""Give the patient a new link to the same request; the old one dies at once."""

from capture.actions.issue_link import Issued, link_to
from capture.actions.send_link import queue_link
from capture.domain.again import check_can_resend
from capture.domain.links import link_key, new_token, token_hash
from capture.domain.requests import State
from capture.errors import Conflict
from capture.services import Services
from capture.store import audit, requests
from capture.store.journal import REPLACED


def resend(
    services: Services, practice_id: str, request_id: str, *, key: str, actor: str, to_phone: str = "", to_email: str = ""
) -> Issued:
    """A new link, known now and never again; sent to that number and address if they are given. Raises NotFound or Conflict.

    `key` says which link it takes the place of (domain.links.link_key), so that one form makes one link however often it is sent.

    Who has given the date of birth goes on undisturbed; who was about to give it through the old link is refused. Wrong dates are
    counted anew, since they belong to the link that is gone.
    """
    now, token = services.clock(), new_token()
    with services.database.write() as db:
        requests.find_request(db, practice_id, request_id)
        request = requests.lock_request(db, request_id)
        check_can_resend(State(request.state), now, request.expires_at)
        if key != link_key(request.token_hash):
            raise Conflict("This link was made already. It was shown once and cannot be shown again.")
        request.token_hash, request.guesses, request.wait_until = token_hash(token), 0, None
        event = audit.append(db, practice_id, actor=actor, action="link replaced", subject=request_id, at=now)
        requests.note_ending(db, event, REPLACED)
        issued = Issued(request_id, request.receipt, link_to(services, token), request.expires_at)
        queue_link(services, db, request, issued.link, to_phone=to_phone, to_email=to_email)
        return issued
