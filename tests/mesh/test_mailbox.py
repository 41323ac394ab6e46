"""A mailbox in MESH: what is sent arrives whole and once, what goes wrong is told in our words, and secrets in none."""

import hashlib
import logging
import random
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from capture.errors import BundleError, Unavailable, Undeliverable
from capture.mailbox import Letter, Mailbox
from tests.fault_proxy import Fault, fault_proxy
from tests.mesh.server import OURS, PASSWORD, PRACTICE, SHARED_KEY, WORKFLOW, MeshServer, running_mesh
from tests.notify.mail_server import make_certificates
from tests.notify.receiver import receiving

BYTES = random.Random(6).randbytes(300_000)


def letter(data: bytes = BYTES, chunk: int = 1_000_000, local_id: str = "a1") -> Letter:
    def read() -> Iterator[bytes]:
        for start in range(0, len(data), 70_000):
            yield data[start : start + 70_000]

    return Letter(PRACTICE, WORKFLOW, local_id, "Sealed photos", "capture-ABCD.zip", len(data), read, chunk)


def read(mailbox: Mailbox, message_id: str) -> bytes:
    with mailbox.fetch(message_id) as (_, pieces):
        return b"".join(pieces)


@pytest.mark.parametrize("chunk", [300_000, 299_999, 90_000])
def test_a_message_arrives_as_it_was_sent(ours: Mailbox, practices: Mailbox, chunk: int) -> None:
    """In one chunk or several, every byte; the practice sees who sent it, what it is called, and our id of it."""
    sent = ours.send(letter(chunk=chunk))
    assert ours.status(sent) == "accepted"
    assert practices.waiting(WORKFLOW, 10) == [sent]
    with practices.fetch(sent) as (head, pieces):
        assert b"".join(pieces) == BYTES
    assert (head.sender, head.local_id, head.file_name, head.is_report) == (OURS, "a1", "capture-ABCD.zip", False)
    practices.acknowledge(sent)
    assert practices.waiting(WORKFLOW, 10) == []
    assert ours.status(sent) == "acknowledged"


def test_what_was_sent_is_not_sent_again(ours: Mailbox, practices: Mailbox) -> None:
    """A second sending under the same local id gives the id of the first, also when the practice has taken it."""
    sent = ours.send(letter())
    assert ours.send(letter()) == sent
    practices.acknowledge(sent)
    assert ours.send(letter()) == sent
    assert practices.waiting(WORKFLOW, 10) == []


@pytest.mark.parametrize("after", [0, 1_000, 130_000, 250_000])
@pytest.mark.parametrize("kind", ["reset", "500", "lost", "stall"])
def test_a_line_that_fails_costs_no_second_message(mesh: MeshServer, practices: Mailbox, kind: str, after: int) -> None:
    """Whatever the line does to the question or to one of three chunks: tried again, the message is there once, whole."""
    with fault_proxy(mesh.port) as proxy:
        ours = Mailbox(mesh.account(OURS, url=f"http://127.0.0.1:{proxy.port}", seconds=1))
        proxy.fail(Fault(kind, after))
        sent = ""
        while not sent:
            with suppress(Unavailable):
                sent = ours.send(letter(chunk=120_000))
        assert proxy.left == 0
    assert practices.waiting(WORKFLOW, 10) == [sent]
    assert read(practices, sent) == BYTES


def test_a_message_that_was_begun_in_other_chunks_waits(mesh: MeshServer, ours: Mailbox, practices: Mailbox) -> None:
    """Chunks of another size would be put together wrongly, so they are not sent; with the size set back it goes on."""
    with fault_proxy(mesh.port) as proxy:
        proxy.fail(Fault("reset", after=130_000))
        with pytest.raises(Unavailable):
            Mailbox(mesh.account(OURS, url=f"http://127.0.0.1:{proxy.port}")).send(letter(chunk=120_000))
    with pytest.raises(Undeliverable) as told:
        ours.send(letter(chunk=60_000))
    assert told.value.code == "mesh-half"
    assert practices.waiting(WORKFLOW, 10) == []
    assert read(practices, ours.send(letter(chunk=120_000))) == BYTES


def test_a_source_that_fails_sends_nothing(ours: Mailbox, practices: Mailbox) -> None:
    """What is wrong with the bytes is told as it is, and no part of them reaches the practice."""

    def altered() -> Iterator[bytes]:
        yield BYTES[:100_000]
        raise BundleError("photos/01-context.jpg.age is not as it was sealed.", code="part-altered")

    for chunk in (300_000, 60_000):
        with pytest.raises(BundleError):
            ours.send(replace(letter(chunk=chunk), read=altered))
    assert practices.waiting(WORKFLOW, 10) == []


def test_memory_does_not_grow_with_the_message(ours: Mailbox, practices: Mailbox) -> None:
    """48 MB are sent in chunks of 16 MB and read again, and less than 3 MB of them are ever held."""
    piece = random.Random(7).randbytes(1 << 20)
    long = replace(letter(), size=48 << 20, read=lambda: iter([piece] * 48), chunk=16 << 20)
    tracemalloc.start()
    sent = ours.send(long)
    digest = hashlib.sha256()
    with practices.fetch(sent) as (_, pieces):
        for one in pieces:
            digest.update(one)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert digest.digest() == hashlib.sha256(piece * 48).digest()
    assert most < 3 << 20, most


def test_each_fault_has_its_code(mesh: MeshServer, tmp_path: Path) -> None:
    """A wrong password, an unknown mailbox, a file that is not there and MESH away are told apart; no secret is in any of them."""
    wrong = tmp_path / "wrong"
    wrong.write_text("not it")
    account = mesh.account
    accounts = {
        "mesh-refused": [
            mesh.account(OURS, password_file=wrong),
            mesh.account(OURS, shared_key_file=wrong),
            mesh.account("NOBODY"),
        ],
        "mesh-key": [
            mesh.account(OURS, password_file=tmp_path / "none"),
            mesh.account(OURS, url="https://localhost", ca_file=wrong),
        ],
        "mesh-away": [account(OURS, url="http://127.0.0.1:9")],
        "unavailable": [account(OURS, url="http://169.254.169.254"), account(OURS, url="http://192.0.2.1")],
    }
    for code, those in accounts.items():
        for one in those:
            mailbox = Mailbox(one)
            calls: list[Callable[[], object]] = [mailbox.check, lambda m=mailbox: m.send(letter()), lambda m=mailbox: m.status("A")]  # type: ignore[misc]
            for call in calls:
                with pytest.raises(Unavailable) as told:
                    call()
                assert told.value.code == code
                assert not {PASSWORD, SHARED_KEY, "not it"} & set(str(told.value.hint).split())


def test_a_connection_that_is_kept(mesh: MeshServer, tmp_path: Path) -> None:
    """The next call uses the same connection; not where MESH has closed it, and not with a password that is no longer so."""
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    with fault_proxy(mesh.port) as proxy:
        mailbox = Mailbox(mesh.account(OURS, url=f"http://127.0.0.1:{proxy.port}", password_file=password))
        mailbox.check()
        with proxy.refusing():
            pass
        mailbox.check()
        password.write_text("another")
        with pytest.raises(Unavailable) as told:
            mailbox.check()
        assert told.value.code == "mesh-refused"
        password.write_text(PASSWORD)
        mailbox.check()


def test_no_redirect_is_followed(mesh: MeshServer, tmp_path: Path) -> None:
    """SECURITY 43: who answers for MESH cannot send us to another address."""
    with receiving(tmp_path) as elsewhere:
        elsewhere.answers += [307, 308]
        account = mesh.account(OURS, url=elsewhere.url.partition("/hook")[0], ca_file=elsewhere.certificate)
        for _ in range(2):
            with pytest.raises(Unavailable):
                Mailbox(account).check()
        assert elsewhere.asked_for == [f"/messageexchange/{OURS}"] * 2


def test_a_404_of_another_server_is_believed_of_nothing(mesh: MeshServer, tmp_path: Path) -> None:
    """What stands before MESH and finds nothing says neither that a message came back nor that it was never sent."""
    with receiving(tmp_path) as elsewhere:
        elsewhere.answers += [404] * 4
        mailbox = Mailbox(mesh.account(OURS, url=elsewhere.url.partition("/hook")[0], ca_file=elsewhere.certificate))
        with pytest.raises(Unavailable) as status:
            mailbox.status("20261129")
        with pytest.raises(Unavailable) as sending:
            mailbox.send(letter())
        assert (status.value.code, sending.value.code) == ("mesh-away", "mesh-away")
        assert not [path for path in elsewhere.asked_for if path.endswith("/outbox")]


def test_an_unknown_recipient_is_told(ours: Mailbox) -> None:
    """A mailbox that MESH does not have is not MESH being away."""
    with pytest.raises(Unavailable) as told:
        ours.send(replace(letter(), to="X26NONE"))
    assert told.value.code == "mesh-no-mailbox"


def test_secrets_reach_no_log(ours: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    """At the chattiest level neither the password nor the shared key is written."""
    caplog.set_level(logging.DEBUG)
    ours.send(letter())
    assert "outbox" in caplog.text  # something did write
    assert PASSWORD not in caplog.text
    assert SHARED_KEY not in caplog.text


def test_tls_shows_a_certificate_and_wants_the_right_one(tmp_path: Path) -> None:
    """MESH is believed under our own authority alone, and believes us by the client certificate; without either nothing is sent."""
    server, client = tmp_path / "server", tmp_path / "client"
    for folder in (server, client):
        folder.mkdir()
        make_certificates(folder, "127.0.0.1")
    pem, theirs, mine = str(server / "server.pem"), str(server / "ca.pem"), client / "server.pem"
    with running_mesh("--ssl-certfile", pem, "--ssl-ca-certs", str(client / "ca.pem"), "--ssl-cert-reqs", "2") as mesh:
        whole = mesh.account(OURS, certificate_file=mine, key_file=mine, ca_file=Path(theirs))
        Mailbox(whole).check()
        assert Mailbox(whole).status(Mailbox(whole).send(letter(chunk=120_000))) == "accepted"
        for account in (
            replace(whole, certificate_file=None),
            replace(whole, certificate_file=Path(pem), key_file=Path(pem)),
            replace(whole, ca_file=client / "ca.pem"),
            replace(whole, ca_file=None),
        ):
            with pytest.raises(Unavailable) as told:
                Mailbox(account).check()
            assert told.value.code in {"mesh-tls", "mesh-away"}
