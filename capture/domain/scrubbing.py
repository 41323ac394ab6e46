"""How far the scrub should have come: each stored part is read again once in so many days. Pure; time is an argument."""

from datetime import datetime, timedelta

ORPHAN_AFTER = timedelta(days=1)
"""How old a part must be, by its store's clock, before it counts as one that nobody will name any more."""
BEGIN, END = "", "g"
"""Before and behind every id and name: these begin with a hexadecimal digit."""


def reach(began_at: datetime, now: datetime, days: int) -> str:
    """Up to where a round that began then should have come: the begin of an id, END when its days are over.

    Ids are random, so that half of them are read in half of the time, however many there are.
    """
    share = (now - began_at) / timedelta(days=days)
    return END if share >= 1 else f"{int(max(share, 0) * 16**8):08x}"


def is_orphan(written: datetime, now: datetime) -> bool:
    """Whether a part that no row names has had its time. One of a day that has not come yet stays: some clock is wrong."""
    return written + ORPHAN_AFTER <= now
