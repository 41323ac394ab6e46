"""Where rates are counted: in each process by itself, or in a Redis that several share. A Redis that is away stops nobody.

While it is away each process counts by itself, looks now and then whether it is back, and logs both moments.
"""

from typing import Any
from urllib.parse import urlsplit

ALONE = "memory://"
SECONDS = 0.5
"""How long a Redis is waited for: whoever signs in waits for it."""


def options(limits: str) -> dict[str, Any]:
    """What the storage of counts is opened with; `limits` is the setting of that name."""
    if limits == ALONE:
        return {}

    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {"socket_connect_timeout": SECONDS, "socket_timeout": SECONDS, "retry": Retry(NoBackoff(), 0)}


def describe(limits: str) -> tuple[bool, str]:
    """Whether counts are where the setting says, and a sentence on it, which holds no password."""
    if limits == ALONE:
        return True, "each process counts by itself"

    from redis import Redis
    from redis.exceptions import RedisError

    where = urlsplit(limits)
    place = f"the Redis at {where.hostname}:{where.port or 6379}"
    with Redis.from_url(limits, **options(limits)) as client:
        try:
            client.ping()
        except RedisError:
            return False, f"{place} does not answer: each process counts by itself meanwhile"
    return True, f"all processes count in {place}"
