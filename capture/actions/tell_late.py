"""Tell practices and the operator of bundles that do not reach an inbox: each once."""

import logging
from collections import Counter
from datetime import timedelta

from capture.actions.queue_notice import queue_notice
from capture.services import Services
from capture.store import audit, deliveries
from capture.store.models import Bundle, Practice

logger = logging.getLogger("capture.worker")
LATE_AFTER = timedelta(hours=1)
UNCOLLECTED_AFTER = timedelta(days=1)
"""A way station is emptied when the practice's system looks, which may be once a day."""
AT_ONCE = 100
"""Deliveries that one transaction tells of at most; the others are told the next time."""


def tell_late(services: Services) -> int:
    """Tell of deliveries that were not made an hour after they were queued, or not collected for a day; gives how many."""
    now = services.clock()
    with services.database.write() as db:
        deliveries.wake_lines(db, now)
    with services.database.write() as db:
        late = deliveries.list_late(db, now - LATE_AFTER, now - UNCOLLECTED_AFTER, AT_ONCE)
        for row in sorted(late, key=lambda row: row.practice_id):  # in one order, so that two workers never wait for each other
            row.told_at, request_id = now, db.get_one(Bundle, row.bundle_id).request_id
            facts = {"inbox": row.inbox}
            audit.append(db, row.practice_id, actor="worker", action="delivery late", subject=request_id, at=now, **facts)
        for practice_id in sorted({row.practice_id for row in late}):
            queue_notice(services, db, db.get_one(Practice, practice_id), "late")
    for inbox, number in Counter(row.inbox for row in late).items():
        logger.error("deliveries to %s are late: %d; capture deliveries list shows them", inbox, number)
    return len(late)
