"""How staff follow requests: the groups of the inbox, what a search finds, what happened in plain words. Pure."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from capture.domain.requests import UNSETTLED, State


@dataclass(frozen=True)
class Group:
    """Requests that staff look at together; `states` are those that people see (domain.requests.shown_state)."""

    id: str
    title: str
    states: frozenset[State]


TO_DO = Group("waiting", "Waiting for you", UNSETTLED)
GROUPS = (
    TO_DO,
    Group("taking", "Taking photos", frozenset({State.OPENED, State.CONFIRMED})),
    Group("unopened", "Link not opened", frozenset({State.DRAFTED, State.SENT})),
    Group("opened", "To attach", frozenset({State.COLLECTED})),
    Group("attached", "Attached", frozenset({State.ATTACHED})),
    Group("closed", "Closed", frozenset({State.CANCELLED, State.EXPIRED, State.PURGED})),
)
STATES = {
    State.SENT: ("Link not opened yet", "grey"),
    State.OPENED: ("Link opened", "blue"),
    State.CONFIRMED: ("Taking photos", "blue"),
    State.SUBMITTED: ("Photos on their way", "yellow"),
    State.DELIVERED: ("Photos waiting", "green"),
    State.COLLECTED: ("Photos opened", "white"),
    State.ATTACHED: ("Attached", "white"),
    State.CANCELLED: ("Cancelled", "grey"),
    State.EXPIRED: ("Link expired", "orange"),
    State.LOCKED: ("Locked: wrong date of birth", "red"),
    State.PURGED: ("Deleted", "grey"),
    State.DRAFTED: ("Draft", "grey"),
}
"""Each state in words, and the colour of its tag."""
EVENTS = {
    "request sent": "Link issued",
    "link replaced": "New link made; the one before stopped working",
    "link extended": "Link given more time",
    "request opened": "Someone opened the link and gave a wrong date of birth",
    "request confirmed": "Patient gave their date of birth",
    "request agreed": "Patient agreed to how the photos are used",
    "another phone asked": "Patient made a link to go on with another phone",
    "another phone joined": "Another phone went on with the photos",
    "photo arrived": "A photo arrived and was sealed",
    "photo kept": "The patient chose to use a photo that may not be clear",
    "photo skipped": "Patient said that a photo cannot be taken",
    "request submitted": "Patient sent the photos",
    "request delivered": "Photos are in the practice’s inbox",
    "delivery hurried": "Delivery tried again at once",
    "delivery late": "Delivery to one inbox took too long; the practice was told",
    "delivery given up": "Delivery failed too often and is no longer tried; the practice was told",
    "delivery came back": "Photos came back from an inbox, where nobody took them; the practice was told",
    "delivery again": "Delivery sent again",
    "request flagged": "Nobody has opened the photos for too long; the practice was told",
    "lock told": "The practice was told that the link is locked",
    "bundle viewed": "Photos page, still locked, looked at",
    "request collected": "Photos opened",
    "bundle opened": "Photos opened again",
    "bundle downloaded": "Encrypted photos downloaded",
    "photos asked again": "Photos asked for again",
    "request attached": "Attached to the referral",
    "request detached": "Not attached to the referral after all",
    "request cancelled": "Request cancelled",
    "request locked": "Link locked after 20 wrong dates of birth",
    "link locked": "Link locked after 20 wrong dates of birth; the patient, who is in already, can finish",
    "request expired": "Link expired",
    "link ended by restore": "Link ended, as the service was brought back from a backup; give it more time, then make a new link",
    "part damaged": "A stored photo was found damaged; the practice was told",
    "part whole": "A stored photo that was damaged is whole again",
    "request purged": "Photos and details deleted",
    "request deleted": "Photos and details deleted before their time",
    "delivery after deletion": "Photos that were on their way when they were deleted have reached an inbox",
}
"""What happened to a request, for its timeline."""
QUIET = {"request drafted", "bundle fetched"}
"""Events that another one beside them tells: sending, opening."""


def matcher(query: str) -> Callable[[str, str, str], bool]:
    """Whether label, reference and receipt fit what was typed: all of it, or each word, is in one of them, however it is spelt."""
    whole, words = _squeezed(query), [word for word in map(_squeezed, query.split()) if word]

    def matches(*texts: str) -> bool:
        known = [_squeezed(text) for text in texts]
        if any(whole in one for one in known):
            return bool(whole)
        return all(any(word in one for one in known) for word in words)

    return matches


def _squeezed(text: str) -> str:
    """Letters and digits alone, small and without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in plain if sign.isalnum())
