"""Bundles on their way through MESH, by the worker's own steps: once, in order, whatever the line does; followed until taken."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from capture import check
from capture.actions.deliver import deliver_next
from capture.actions.follow_deliveries import AGAIN, GREET_EVERY, LATEST, NOTICES_EVERY, Follower, wait_after
from capture.inbox.base import Place
from capture.inbox.mesh import MeshInbox
from capture.mailbox import Mailbox
from capture.services import Services
from capture.settings import load_settings
from capture.store.deliveries import SOONEST
from capture.store.models import AuditEvent, Delivery, DeliveryTry
from capture.store.restoring import apply_endings
from tests.builders import APractice, bundle_of, make_practice, make_request, make_submitted
from tests.conftest import Clock
from tests.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.mesh.server import OURS, PRACTICE, WORKFLOW, MeshServer


class Ticks:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def practice(services: Services) -> APractice:
    return make_practice(services)


@pytest.fixture
def line(mesh: MeshServer) -> Iterator[FaultProxy]:
    """The line to MESH."""
    with fault_proxy(mesh.port) as proxy:
        yield proxy


@pytest.fixture
def forwarding(services: Services, mesh: MeshServer, line: FaultProxy) -> Services:
    """Services that bring every bundle to MESH too, over that line."""
    ours = Mailbox(mesh.account(OURS, url=f"http://127.0.0.1:{line.port}", seconds=3))
    services.inboxes["mesh"] = Place("MESH", MeshInbox(ours, WORKFLOW, {"": PRACTICE}, 60_000))  # type: ignore[index]
    return services


@pytest.fixture
def send(forwarding: Services, practice: APractice, clock: Clock) -> Callable[[], str]:
    """Let a patient send photos; the bundle's id."""

    def submitted() -> str:
        asked = make_request(forwarding, practice)
        make_submitted(forwarding, asked, delivered=False)
        clock.forward(seconds=1)
        return bundle_of(forwarding, asked).id

    return submitted


@pytest.fixture
def by_mesh(services: Services) -> Callable[[], list[Delivery]]:
    """The deliveries to MESH, in the order of sending."""

    def load() -> list[Delivery]:
        with services.database.read() as db:
            return db.query(Delivery).filter_by(inbox="mesh").order_by(Delivery.number).all()

    return load


def deliver_all(services: Services) -> None:
    while deliver_next(services):
        pass


def arrived(mailbox: Mailbox) -> list[str]:
    """The bundle ids of what lies in the practice's mailbox, in its order."""
    found = []
    for message_id in mailbox.waiting(WORKFLOW, 100):
        with mailbox.fetch(message_id) as (head, _):
            found.append(head.local_id)
    return found


FAULTS = [Fault(kind, after) for after in (0, 1_000, 70_000) for kind in ("reset", "500", "lost")] + [Fault("stall", 1_000)]


def test_faults_of_the_line_double_and_lose_nothing(
    forwarding: Services, line: FaultProxy, practices: Mailbox, send: Callable[[], str], clock: Clock
) -> None:
    """The line refuses, stalls, resets, answers 500 and loses answers: each bundle is one message, in the order of sending."""
    sent = [send() for _ in range(3)]
    with line.refusing():
        deliver_all(forwarding)
    line.fail(*FAULTS)
    for _ in range(len(FAULTS) + 3):
        clock.forward(minutes=40)
        deliver_all(forwarding)
    assert line.left == 0
    assert arrived(practices) == sent


def test_only_a_first_try_asks_nothing_before(
    forwarding: Services, line: FaultProxy, send: Callable[[], str], clock: Clock
) -> None:
    """Nothing can be there before the first try, so MESH is not asked; before each later one it is."""
    send()
    deliver_all(forwarding)
    chunks = line.exchanges
    send()
    line.fail("500")
    deliver_all(forwarding)
    begun = line.exchanges
    clock.forward(minutes=1)
    deliver_all(forwarding)
    assert line.exchanges == begun + 2 + chunks  # whether it is there, and whether it was MESH that said no


def test_an_old_backup_sends_nothing_twice(
    forwarding: Services, practices: Mailbox, send: Callable[[], str], by_mesh: Callable[[], list[Delivery]], clock: Clock
) -> None:
    """What a restored database takes for untried, and MESH has, is not sent again."""
    sent = send()
    deliver_all(forwarding)
    with forwarding.database.write() as db:
        row = db.get_one(Delivery, by_mesh()[0].id)
        row.state, row.fence, row.reference, row.due_at = "queued", 0, "", clock()
        db.flush()
        apply_endings(db, [], clock())
    deliver_all(forwarding)
    assert by_mesh()[0].state == "under way"
    assert arrived(practices) == [sent]


def test_mesh_down_for_a_day(
    forwarding: Services, line: FaultProxy, practices: Mailbox, send: Callable[[], str], clock: Clock,
    by_mesh: Callable[[], list[Delivery]],
) -> None:  # fmt: skip
    """What is sent while MESH is away for a day reaches the staff pages at once, and MESH afterwards: once, in order."""
    sent = []
    with line.refusing():
        for hour in range(24):
            if hour % 8 == 0:
                sent.append(send())
            deliver_all(forwarding)
            clock.forward(hours=1)
        with forwarding.database.read() as db:
            assert {row.state for row in db.query(Delivery).filter_by(inbox="web")} == {"delivered"}
        assert [(row.state, row.last_error) for row in by_mesh()] == [("queued", "mesh-away"), ("queued", ""), ("queued", "")]
    for _ in range(3):
        deliver_all(forwarding)
        clock.forward(hours=1)
    assert arrived(practices) == sent
    assert [row.state for row in by_mesh()] == ["under way"] * 3


def test_followed_until_it_is_taken(
    forwarding: Services, practices: Mailbox, send: Callable[[], str], clock: Clock, by_mesh: Callable[[], list[Delivery]]
) -> None:
    """A bundle that MESH has is under way; it is delivered once the practice has acknowledged it, and asked for no more."""
    send()
    deliver_all(forwarding)
    follower = Follower(forwarding)
    assert not follower.step()  # MESH may not know yet what it took
    clock.forward(seconds=SOONEST.total_seconds())
    assert follower.step()
    assert not follower.step()  # not again at once
    (row,) = by_mesh()
    assert (row.state, row.due_at - clock()) == ("under way", SOONEST)
    practices.acknowledge(row.reference)
    clock.forward(minutes=3)
    assert follower.step()
    (row,) = by_mesh()
    assert (row.state, row.delivered_at) == ("delivered", clock())
    clock.forward(days=1)
    assert not follower.step()


def test_what_came_back_is_given_up_and_can_go_again(
    forwarding: Services, mesh: MeshServer, practices: Mailbox, ours: Mailbox, send: Callable[[], str], clock: Clock,
    by_mesh: Callable[[], list[Delivery]], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """The report gives it up, with a line for operator and audit trail; sent again it is a new message, which arrives."""
    bundle_id = send()
    deliver_all(forwarding)
    ticks = Ticks()
    follower = Follower(forwarding, ticks)
    follower.step()
    mesh.return_to_sender(by_mesh()[0].reference)
    ticks.now += NOTICES_EVERY
    follower.step()
    (row,) = by_mesh()
    assert (row.state, row.last_error) == ("given up", "came-back")
    assert ours.waiting(WORKFLOW, 10) == []
    assert "came back" in caplog.text
    with forwarding.database.read() as db:
        assert [one.error for one in db.query(DeliveryTry)] == ["came-back"]
        assert db.query(AuditEvent).filter_by(action="delivery came back").count() == 1
    with forwarding.database.write() as db:
        given_up = db.get_one(Delivery, row.id)
        given_up.state, given_up.due_at = "queued", clock()
    deliver_all(forwarding)
    (again,) = by_mesh()
    assert again.state == "under way"
    assert again.reference != row.reference
    assert arrived(practices)[0].startswith(bundle_id)
    practices.acknowledge(again.reference)
    clock.forward(minutes=3)
    follower.step()
    assert by_mesh()[0].state == "delivered"


def test_no_answer_changes_nothing(
    forwarding: Services, line: FaultProxy, send: Callable[[], str], clock: Clock, by_mesh: Callable[[], list[Delivery]]
) -> None:
    """While MESH does not say what became of a bundle it stays under way, and is asked for again."""
    send()
    deliver_all(forwarding)
    follower = Follower(forwarding)
    clock.forward(minutes=3)
    with line.refusing():
        assert follower.step()
    assert by_mesh()[0].state == "under way"
    clock.forward(minutes=3)
    assert follower.step()
    assert by_mesh()[0].state == "under way"


def test_the_daily_greeting(forwarding: Services, line: FaultProxy, caplog: pytest.LogCaptureFixture) -> None:
    """The mailbox is greeted at the start and within 24 hours; a greeting that fails is told to the operator and done again."""
    ticks = Ticks()
    follower = Follower(forwarding, ticks)
    with line.refusing():
        follower.step()
    assert "inbox mesh: mesh-away" in caplog.text
    begun = line.exchanges
    follower.step()
    assert line.exchanges == begun  # not every second
    ticks.now += AGAIN
    follower.step()
    assert line.exchanges > begun
    caplog.clear()
    ticks.now += GREET_EVERY
    begun = line.exchanges
    follower.step()
    assert line.exchanges > begun
    assert not caplog.records
    assert GREET_EVERY + AGAIN < 24 * 3600


def test_without_way_stations_nothing_is_asked(services: Services) -> None:
    """Where every inbox is final there is nothing to follow."""
    assert not Follower(services).step()


def test_it_is_asked_for_ever_more_rarely() -> None:
    """Every two minutes at first, in the end once an hour, also when the clock was set back."""
    ages = [timedelta(days=-40), timedelta(0), timedelta(hours=1), timedelta(hours=4), timedelta(days=4)]
    waits = [wait_after(age) for age in ages]
    assert waits == sorted(waits)
    assert (waits[0], waits[2], waits[-1]) == (SOONEST, timedelta(minutes=7.5), LATEST)


def test_check_asks_mesh(mesh: MeshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`capture check` shakes hands with each mailbox, and says with the code why it does not work."""
    account = f'mailbox = "{OURS}"\nshared_key_file = "{mesh.folder}/shared-key"\npassword_file = "password"\n'
    words = f'kind = "mesh"\ntitle = "MESH"\nurl = "{mesh.url}"\nworkflow = "{WORKFLOW}"\nrecipient = "{PRACTICE}"\n{account}'
    (tmp_path / "inboxes.toml").write_text(f"[inboxes.mesh]\n{words}")
    settings = load_settings({}, var=tmp_path / "var", inboxes=str(tmp_path / "inboxes.toml"))
    monkeypatch.setattr(check, "load_settings", lambda: settings)
    for password, ok in {"password": True, "wrong": False}.items():
        (tmp_path / "password").write_text(password)
        (finding,) = [one for one in check.find_problems() if one.subject == "inbox mesh"]
        assert finding.ok == ok
    assert "mesh-refused" in finding.fact
