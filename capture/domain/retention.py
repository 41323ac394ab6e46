"""How long what a patient sent is kept. Pure; time is an argument."""

from datetime import datetime, timedelta

from capture.domain.requests import State

KEEP_UNFINISHED = timedelta(days=7)
"""How long a request that came to nothing is kept after its end, so that its link can still be given more time."""
CONFIRM_AFTER = timedelta(days=1)
"""How long after the worker first saw that a request is due it is deleted."""
UNFINISHED = frozenset({State.EXPIRED, State.CANCELLED, State.LOCKED})
"""The ends of a request whose photos were never sent."""


def purge_due(state: State, since: datetime, keep_attached_days: int, keep_collected_days: int) -> datetime | None:
    """From when a request that has been in this state since then is to be deleted; None: not as long as it stays there.

    Photos that were sent and that nobody has opened are never due, whatever the clock says: submitted, delivered.
    """
    if state is State.ATTACHED:
        return since + timedelta(days=keep_attached_days)
    if state is State.COLLECTED:
        return since + timedelta(days=keep_collected_days)
    return since + KEEP_UNFINISHED if state in UNFINISHED else None


def is_confirmed(due: datetime | None, noted_at: datetime, now: datetime) -> bool:
    """Whether what was noted as due may be deleted now: it was due then, and has been for a day since.

    A clock that jumps makes everything look old at one look. So a look only notes what is due, and the note counts a day later; a
    note of a time that has not come yet is forgotten (store/deletions.py), since the clock was wrong when it was made. A clock that
    runs ahead and is put right within a day deletes nothing before its time. One that stays ahead for longer is taken at its word.
    """
    return due is not None and due <= noted_at and noted_at + CONFIRM_AFTER <= now
