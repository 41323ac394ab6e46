"""A request's life: the states, the moves between them, and what time does to it. Pure; time is an argument."""

from datetime import datetime, timedelta
from enum import StrEnum

from capture.errors import Conflict, LinkClosed, LinkExpired

FINISH_AFTER_EXPIRY = timedelta(minutes=30)
"""How long a session that has confirmed may still finish once the link has expired (SECURITY 13)."""


class State(StrEnum):
    """Where a request stands. Nothing moves on a GET."""

    DRAFTED = "drafted"
    SENT = "sent"
    OPENED = "opened"
    CONFIRMED = "confirmed"
    SUBMITTED = "submitted"
    DELIVERED = "delivered"
    COLLECTED = "collected"
    ATTACHED = "attached"
    PURGED = "purged"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOCKED = "locked"


_OPEN_ENDS = {State.CANCELLED, State.EXPIRED, State.LOCKED}
MOVES: dict[State, set[State]] = {
    State.DRAFTED: {State.SENT, State.CANCELLED},
    State.SENT: {State.OPENED, State.CONFIRMED} | _OPEN_ENDS,
    State.OPENED: {State.CONFIRMED} | _OPEN_ENDS,
    State.CONFIRMED: {State.SUBMITTED} | _OPEN_ENDS,
    State.SUBMITTED: {State.DELIVERED, State.PURGED},  # deleted before it arrived only if a manager says so
    State.DELIVERED: {State.COLLECTED, State.PURGED},
    State.COLLECTED: {State.ATTACHED, State.PURGED},
    State.ATTACHED: {State.COLLECTED, State.PURGED},  # staff may take it back
    State.PURGED: set(),
    State.CANCELLED: {State.PURGED},
    State.EXPIRED: {State.SENT, State.PURGED},  # staff may give a link more time
    State.LOCKED: {State.CANCELLED, State.PURGED},
}
WAITING = {State.SENT, State.OPENED, State.CONFIRMED}
"""The link still works, or would if its time were not over."""
MAY_TAKE = WAITING | {State.DRAFTED, State.EXPIRED}
"""Photos may still come in, at once or once the link has been given more time."""
ENDS = frozenset({State.SUBMITTED, State.CANCELLED, State.EXPIRED, State.LOCKED, State.PURGED})
"""What a link, or all that a request held, comes to an end by: a backup made before must not undo it (SECURITY 42)."""
DONE = {State.SUBMITTED, State.DELIVERED, State.COLLECTED, State.ATTACHED}
"""The patient has sent the photos."""
UNSETTLED = frozenset({State.SUBMITTED, State.DELIVERED, State.LOCKED})
"""Photos that nobody has opened, and links that are locked: someone of the practice has to act."""

_STANDS = {
    State.DRAFTED: "This request was not sent yet.",
    State.SENT: "The photos were not sent yet.",
    State.OPENED: "The photos were not sent yet.",
    State.CONFIRMED: "The photos were not sent yet.",
    State.SUBMITTED: "The photos were sent already.",
    State.DELIVERED: "The photos were sent already.",
    State.COLLECTED: "These photos were already opened.",
    State.ATTACHED: "These photos were already attached to the referral.",
    State.PURGED: "This request was already deleted.",
    State.CANCELLED: "This request was already cancelled.",
    State.EXPIRED: "This link has expired.",
    State.LOCKED: "This link was locked after 20 wrong dates of birth.",
}
"""Why a request makes no other move: where it stands."""


def check_can_move(state: State, to: State) -> None:
    """Raise Conflict, which says where the request stands, unless the table allows the move."""
    if to not in MOVES[state]:
        for_staff = _STANDS[state]  # patients are told by check_can_continue, in their language
        raise Conflict(for_staff)


def can_move(state: State, to: State) -> bool:
    """The same, as an answer for templates."""
    return to in MOVES[state]


def check_can_confirm(state: State, now: datetime, expires_at: datetime) -> None:
    """Whether someone may come in through the link: LinkClosed or LinkExpired if not."""
    if state is State.EXPIRED or (state in WAITING and now >= expires_at):
        raise LinkExpired
    if state not in WAITING:
        raise LinkClosed


def check_can_continue(state: State, now: datetime, expires_at: datetime) -> None:
    """Whether a session that has already confirmed may go on: Conflict or LinkExpired if not."""
    if state is State.EXPIRED or (state is State.CONFIRMED and now >= expires_at + FINISH_AFTER_EXPIRY):
        raise LinkExpired
    if state is not State.CONFIRMED:
        raise Conflict("This request is closed, so no more photos can be added.")


def shown_state(state: State, now: datetime, expires_at: datetime) -> State:
    """The state that people see: a waiting request whose time is over is expired, even if nothing has noted it yet."""
    return State.EXPIRED if state in WAITING and now >= expires_at else state
