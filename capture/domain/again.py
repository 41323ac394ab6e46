"""What staff can do with a request that is there: a new link, more time, asking for photos that cannot be used. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from capture.domain.policies import NOT_SWITCHED_ON
from capture.domain.protocols import Site, View
from capture.domain.requests import DONE, WAITING, State, shown_state
from capture.errors import Conflict, NotAllowed

LONGEST_LINK = timedelta(days=28)
"""How long a link may still work, counted from the day on which it is issued or given more time."""
REASONS = {
    "blurred": "It is blurred",
    "dark": "It is too dark",
    "bright": "It is too bright, or shines",
    "far": "It was taken from too far away",
    "place": "It does not show the place",
    "other": "Another reason",
}
"""What may be wrong with a photo, as staff choose it."""
SENTENCES = {
    "blurred": "Last time, the photo was not sharp enough.",
    "dark": "Last time, the photo was too dark.",
    "bright": "Last time, the photo was too bright.",
    "far": "Last time, the photo was taken from too far away.",
    "place": "Last time, the photo did not show the right place.",
    "other": "Your GP needs to see the place once more.",
}
"""The same as the patient is told."""


def check_can_ask_again(state: State) -> None:
    """Whether photos of a request can be asked for once more: Conflict before they were sent, and once they were deleted."""
    if state not in DONE:
        raise Conflict("No photos of this request are here, so none can be asked for again.")


def can_ask_again(state: State) -> bool:
    """The same, as an answer for templates."""
    return state in DONE


def check_again(site: Site, age_group: str, offered: Sequence[View], views: Collection[str], reason: str, *, allowed: bool) -> None:
    """Whether these views may be asked for again, for that reason; NotAllowed says why not.

    `offered` are the views that the first request asked for; `allowed` is the practice's switch for intimate places, which must
    still be on and is for adults only.
    """
    if not views or not set(views) <= {view.id for view in offered}:
        raise NotAllowed("Choose at least one photo.")
    if reason not in REASONS:
        raise NotAllowed("Choose what is wrong with it.")
    if site.intimate and not (allowed and age_group == "adult"):
        raise NotAllowed(NOT_SWITCHED_ON)


def check_can_resend(state: State, now: datetime, expires_at: datetime) -> None:
    """Whether the patient can be given a new link: Conflict when the request is closed, or over and not given more time."""
    if shown_state(state, now, expires_at) is State.EXPIRED:
        raise Conflict("This link has expired. Give it more time first.")
    if state not in WAITING:
        raise Conflict("This request is closed, so it needs no link.")


def can_resend(state: State, now: datetime, expires_at: datetime) -> bool:
    """The same, as an answer for templates."""
    return shown_state(state, now, expires_at) in WAITING


def check_can_extend(state: State, now: datetime, expires_at: datetime, until: datetime) -> None:
    """Whether a link may work until then: Conflict when the request is closed or that is no later, nor at most 28 days from now."""
    if state not in WAITING | {State.EXPIRED}:
        raise Conflict("This request is closed, so its link gets no more time.")
    if not expires_at < until <= now + LONGEST_LINK:
        raise Conflict("Choose more days, 28 at most: the link works for longer than that already.")


def can_extend(state: State, now: datetime, expires_at: datetime, until: datetime) -> bool:
    """The same, as an answer for templates."""
    return state in WAITING | {State.EXPIRED} and expires_at < until <= now + LONGEST_LINK
