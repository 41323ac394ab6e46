"""A worker that is killed at chosen points, and two that race: a process of its own, from which workers are forked.

Called with "kills" or "race", a folder and a database, or "far", a folder and a file of inboxes; prints what came of it as JSON. No
environment and no clock but its own.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from capture.actions.deliver import bundle_files, deliver_next
from capture.app import make_services
from capture.domain.links import new_receipt
from capture.domain.requests import State
from capture.inbox.base import BundleFiles, Place, Placed
from capture.inbox.folder import FolderInbox
from capture.inbox.web import WebInbox
from capture.sealing.archive import stream_archive
from capture.sealing.contents import REQUEST_PART, Manifest, Part, photo_part_name
from capture.sealing.contents import Practice as PracticeName
from capture.sealing.records import to_json
from capture.services import Services
from capture.settings import load_settings
from capture.store import audit, deliveries, requests
from capture.store.blobs import new_name
from capture.store.database import Database
from capture.store.models import AuditEvent, Bundle, Delivery, Practice, new_id
from capture.store.practices import insert_practice
from tests.conftest import Clock
from tests.store.rows import add_photo, add_request
from tests.system.server import ROOT, environment

KILLS, FAR_KILLS = 200, 40
PRACTICES = 5
SEALED = b"sealed" * 100
PARTS = {REQUEST_PART: b"r", photo_part_name(1, "context"): SEALED}


def add_bundles(services: Services, count: int, inboxes: tuple[str, ...]) -> list[str]:
    """Bundles of one small part, of some practices in turn, as they are when patients have sent them; their ids in order."""
    now, ids, blob = services.clock(), [], new_name(new_id())
    services.blobs.put(blob, SEALED)
    parts = tuple(Part(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in PARTS.items())
    with services.database.write() as db:
        made = [insert_practice(db, ods=f"A8{n:04}", name="Elm", phone="0191 498 0123", now=now) for n in range(PRACTICES)]
        for number in range(count):
            practice = made[number % PRACTICES]
            request = add_request(db, practice.id, State.CONFIRMED, receipt=new_receipt(), submitted_at=now)
            add_photo(db, request, blob=blob, sealed_size=len(SEALED), sealed_sha256=parts[1].sha256)
            name, keys = PracticeName(practice.ods, practice.name), ("-".join(["0000"] * 8),)
            manifest = Manifest(new_id(), request.id, request.receipt, name, keys, now, parts)
            held = {"manifest": to_json(manifest), "signature": b"s", "request_part": b"r", "created_at": now}
            bundle = Bundle(id=manifest.bundle, practice_id=practice.id, request_id=request.id, **held)
            db.add(bundle)
            db.flush()
            sent = requests.move(db, request, State.SUBMITTED, actor="patient", now=now)
            deliveries.queue(db, bundle, inboxes, sent, now - timedelta(seconds=count - number))
            ids.append(bundle.id)
    return ids


class Points:
    """The points of a worker's work, counted as they are passed: at the last one the process kills itself, and says where."""

    def __init__(self, left: int, told: int) -> None:
        self._left, self._told = left, told
        self._lock = threading.Lock()

    def passes(self, name: str) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.write(self._told, name.encode())
                os.kill(os.getpid(), 9)

    def around(self, place: Any, name: str) -> None:
        """Before and after each call of that function are points."""
        act: Callable[..., Any] = getattr(place, name)

        def wrapped(*given: Any, **named: Any) -> Any:
            self.passes(f"before {name}")
            result = act(*given, **named)
            self.passes(f"after {name}")
            return result

        setattr(place, name, wrapped)

    def around_transactions(self, services: Services) -> Services:
        """Before and after each commit are points."""
        points = self

        class Watched(Database):
            @contextmanager
            def write(self) -> Iterator[Any]:
                points.passes("begin")
                with super().write() as db:
                    yield db
                    points.passes("before commit")
                points.passes("after commit")

        services.database.__class__ = Watched
        return services


def fork(act: Callable[[], None]) -> int:
    """A child that does it and ends; its id."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    return pid


def work(services: Services) -> None:
    """Deliver until nothing is due."""
    while deliver_next(services):
        pass


def kill_one(services: Services, clock: Clock, left: int, steps: Iterable[tuple[Any, str]]) -> str:
    """Let a worker kill itself at that point of its transactions and these steps: where that was; nothing if it came to its end."""
    told, telling = os.pipe()

    def killed() -> None:
        watch = Points(left, telling)
        for place, name in steps:
            watch.around(place, name)
        work(watch.around_transactions(services))

    services.database.close()
    _, status = os.waitpid(fork(killed), 0)
    os.close(telling)
    where = os.read(told, 100).decode()
    os.close(told)
    clock.time += timedelta(minutes=2)  # the lease of the one that was killed is over
    return where if os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9 else ""


def kill_workers(var: Path, database: str) -> dict[str, Any]:
    """Kill one worker after the other, each a point later than the last; in between a system takes what lies in the folder."""
    clock, share = Clock(), var / "share"
    services = replace(
        _services(var, database, clock), inboxes={"web": Place("", WebInbox()), "elm": Place("", FolderInbox(f"{share}/{{ods}}"))}
    )
    share.mkdir()
    ids = add_bundles(services, 160, ("web", "elm"))
    with services.database.read() as db:
        whole = {one: b"".join(stream_archive(bundle_files(services, db, db.get_one(Bundle, one)).entries)) for one in ids}
    taken: list[str] = []
    altered, kills, points = 0, 0, Counter[str]()

    def take() -> None:
        nonlocal altered
        for path in sorted(share.glob("*/*.zip"), key=lambda path: path.stat().st_ctime_ns):
            taken.append(path.stem.partition("-")[2].rpartition("-")[2])
            altered += path.read_bytes() != whole[taken[-1]]
            path.unlink()

    steps = (
        (Path, "rename"),
        (os, "fsync"),
        (Path, "mkdir"),
        (deliveries, "mark_delivered"),
        (FolderInbox, "put"),
        (WebInbox, "put"),
    )
    for number in range(KILLS):
        where = kill_one(services, clock, number % 83 + 1, steps)
        points[where] += 1
        kills += bool(where)
        take()
    work(services)
    take()
    return {"kills": kills, "points": points, "lost": len(set(ids) - set(taken)), "doubled": len(taken) - len(set(taken))} | {
        "altered": altered,
        "in order": in_order(ids, taken),
        **_count(services),
    }


def kill_far(var: Path, inboxes: str) -> dict[str, Any]:
    """The same with the inboxes of that file, at questions and answers of HTTP; the ids in the order in which they were sent."""
    clock = Clock()
    services = make_services(load_settings({}, var=var, origin="https://photos.example.org", inboxes=inboxes), clock=clock)
    ids = add_bundles(services, 60, tuple(name for name in services.inboxes if name != "web"))
    steps = ((HTTPConnection, "endheaders"), (HTTPConnection, "getresponse"))
    where = Counter(kill_one(services, clock, number % 13 + 1, steps) for number in range(FAR_KILLS))
    work(services)
    return {"kills": where.total() - where.pop("", 0), "points": where, "ids": ids, **_count(services)}


def race(var: Path, database: str) -> dict[str, Any]:
    """Two workers on a thousand bundles at once; each effect is a line in a file."""
    effects = var / "effects"

    class Effects:
        def put(self, bundle: BundleFiles) -> Placed:
            for file in bundle.files:
                for _ in file.checked():
                    pass
            with effects.open("a") as lines:
                lines.write(f"{bundle.id} {os.getpid()}\n")
            return Placed()

    services = replace(_services(var, database, Clock()), inboxes={"web": Place("", Effects())})
    ids = add_bundles(services, 1_000, ("web",))
    services.database.close()
    for pid in [fork(lambda: work(services)) for _ in range(2)]:
        os.waitpid(pid, 0)
    lines = [line.split() for line in effects.read_text().splitlines()]
    made = [bundle for bundle, _ in lines]
    return {"effects": len(made), "of": len(set(made) & set(ids)), "in order": in_order(ids, made)} | {
        "workers": len({worker for _, worker in lines}),
        **_count(services),
    }


def _services(var: Path, database: str, clock: Clock) -> Services:
    given = {"database": database} if database else {}
    return make_services(load_settings({}, var=var, origin="https://photos.example.org", **given), clock=clock)


def in_order(ids: list[str], found: list[str]) -> bool:
    """Whether those of each practice came in the order in which they were sent."""
    place = {one: number for number, one in enumerate(ids)}
    lanes: dict[int, list[int]] = {}
    for one in found:
        lanes.setdefault(place[one] % PRACTICES, []).append(place[one])
    return all(lane == sorted(lane) for lane in lanes.values())


def _count(services: Services) -> dict[str, Any]:
    """What the database says at the end."""
    with services.database.read() as db:
        states = Counter(db.scalars(db.query(Delivery.state).statement))
        arrived = Counter(event.subject for event in db.query(AuditEvent).filter_by(action="request delivered"))
        broken = [audit.check_chain(db, practice.id) for practice in db.query(Practice)]
    services.close()
    return {"deliveries": states, "arrived": len(arrived), "once": set(arrived.values()) == {1}, "chains": not any(broken)}


def run(act: str, var: Path, where: str) -> dict[str, Any]:
    """What this program finds, called with these words."""
    command = [sys.executable, "-m", "tests.system.outbox", act, str(var), where]
    done = subprocess.run(command, cwd=ROOT, env=environment(var), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    act, folder, where = sys.argv[1:]
    json.dump({"kills": kill_workers, "race": race, "far": kill_far}[act](Path(folder), where), sys.stdout)
