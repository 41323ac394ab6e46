"""A day of England: how long every query of the store takes where thousands of practices share one PostgreSQL.

Three databases, each with the product's own migrations, filled by COPY (tests/store/england.py): all practices; one practice with
as many requests as each of those has; and one with next to nothing. Each query is run in turn on all three, warm, by the store's
own functions (tests/store/queries.py), in transactions that are taken back. Printed are the median and the 95th percentile in
milliseconds, their ratios to the empty database, the median's ratio to the one practice, how many rows the statement that looked at
most has looked at, and how many pages of 8 kB all of the query's statements have touched. A plan that reads one of the large tables
from end to end is an error, but for what counts everything.

Small unless it is told otherwise. England, which takes about 45 GB of disk under TMPDIR for an hour and removes them:
    nice .venv/bin/python bench/scale.py --practices 6200 --requests 10080000 --photos 29000000
"""

import argparse
import platform
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from capture.store.database import Database  # noqa: E402
from capture.store.vault import Vault  # noqa: E402
from tests.postgres import Postgres, running_postgres  # noqa: E402
from tests.store.asked import Asked, prepare  # noqa: E402
from tests.store.england import COPIED, Crowd, load  # noqa: E402
from tests.store.plans import plans_of, undone  # noqa: E402
from tests.store.queries import ALL, SERVICE, Query  # noqa: E402

VAULT = Vault(bytes(range(32)))
AT_ONCE = 500_000
"""More requests than this are made by copying a fiftieth part of them."""
SERVER = ("shared_buffers=2GB", "maintenance_work_mem=1GB", "max_wal_size=8GB", "wal_level=minimal", "max_wal_senders=0")
Made = tuple[Database, Asked]


def make(server: Postgres, name: str, crowd: Crowd) -> Made:
    """A database with that crowd."""
    database = Database(server.create(name), VAULT)
    database.migrate()
    load(database.url, crowd, VAULT, copies=50 if crowd.requests > AT_ONCE else 1)
    return database, prepare(database)


def milliseconds(made: Made, query: Query) -> float:
    """How long a query takes, with the beginning of its transaction, which is taken back."""
    database, asked = made
    with undone(database) as db:
        begun = time.perf_counter()
        query(db, asked)
        db.flush()
        took = time.perf_counter() - begun
    return took * 1000


def measure(name: str, query: Query, made: list[Made], rounds: int) -> list[str]:
    """Print a query's line; the large tables that it reads from end to end. The first round is not counted."""
    times = [[milliseconds(one, query) for one in made] for _ in range(rounds + 1)][1:]
    (most, high), (one, _), (least, low) = (
        (statistics.median(taken), statistics.quantiles(taken, n=20)[-1]) for taken in zip(*times, strict=True)
    )
    plans = plans_of(made[0][0], query, made[0][1])
    ratios = f"{most / least:6.2f} {high / low:6.2f} {most / one:6.2f}"
    print(f"{name:50} {most:8.2f} {high:8.2f} {ratios} {plans.rows:9,} {plans.pages:8,}", flush=True)
    return [scan for scan in plans.scans if scan.partition(":")[0] in COPIED]


def main(crowd: Crowd, rounds: int) -> int:
    each = Crowd(1, crowd.requests // crowd.practices, crowd.photos // crowd.practices)
    with running_postgres(*SERVER) as server:
        begun = time.monotonic()
        made = [make(server, name, one) for name, one in (("everyone", crowd), ("alone", each), ("empty", Crowd(1, 20, 60)))]
        print(f"{crowd}, beside {each}; loaded in {time.monotonic() - begun:,.0f} s on {platform.node()}, {platform.machine()}")
        scans = report(made, rounds)
        for database, _ in made:
            database.close()
    print(f"{len(scans)} of {len(ALL)} read a large table from end to end", *scans, sep="\n  ")
    return 1 if scans else 0


def report(made: list[Made], rounds: int) -> list[str]:
    print(f"{'':50} {'p50 ms':>8} {'p95 ms':>8} {'× empty':>13} {'× one':>6} {'rows':>9} {'pages':>8}")
    scans: list[str] = []
    for name, query in ALL.items():
        scans += measure(name, query, made, rounds)
    for name, query in SERVICE.items():
        measure(f"all of it: {name}", query, made, 3)
    return scans


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option, number in {"practices": 300, "requests": 30_000, "photos": 90_000, "rounds": 20}.items():
        parser.add_argument(f"--{option}", type=int, default=number)
    given = parser.parse_args()
    sys.exit(main(Crowd(given.practices, given.requests, given.photos), given.rounds))
