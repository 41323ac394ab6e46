"""The inbox in MESH: a bundle is one message however often it is put, until it came back; and its options."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from capture.errors import BundleError, SettingsError, Unavailable, Undeliverable
from capture.inbox import load_inboxes
from capture.inbox.base import BundleFile, Tracks
from capture.inbox.mesh import MeshInbox
from capture.mailbox import Letter, Mailbox
from tests.mesh.bundles import a_bundle
from tests.mesh.server import OTHER, OURS, PRACTICE, WORKFLOW, MeshServer


@pytest.fixture
def inbox(ours: Mailbox) -> MeshInbox:
    return MeshInbox(ours, WORKFLOW, {"A81001": PRACTICE}, 100_000)


def test_a_bundle_is_one_message(inbox: MeshInbox, practices: Mailbox) -> None:
    """Put three times it lies in the practice's mailbox once: the ZIP, under the receipt, with nothing of a patient around it."""
    bundle = a_bundle()
    placed = {inbox.put(bundle) for _ in range(3)}
    ((reference, final),) = {(one.reference, one.final) for one in placed}
    assert not final
    assert practices.waiting(WORKFLOW, 10) == [reference]
    with practices.fetch(reference) as (head, pieces):
        archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert (head.file_name, head.local_id) == ("capture-0001.zip", bundle.id)
    assert {name: archive.read(name) for name in archive.namelist()} == {one.name: b"".join(one.read()) for one in bundle.files}


def test_taken_once_it_is_acknowledged(inbox: MeshInbox, practices: Mailbox) -> None:
    """It is not there yet when MESH has it, nor when it was only fetched."""
    assert isinstance(inbox, Tracks)
    reference = inbox.put(a_bundle()).reference
    assert not inbox.is_taken(reference)
    with practices.fetch(reference) as (_, pieces):
        assert b"".join(pieces)
    assert not inbox.is_taken(reference)
    practices.acknowledge(reference)
    assert inbox.is_taken(reference)


def test_what_comes_back_is_told_and_sent_anew(mesh: MeshServer, inbox: MeshInbox, practices: Mailbox, ours: Mailbox) -> None:
    """A report names the message; what is sent then is another one, and that again only once; other messages are left alone."""
    bundle = a_bundle()
    first = inbox.put(bundle).reference
    mesh.return_to_sender(first)
    practices.send(Letter(OURS, WORKFLOW, "other", "of another kind", "other.zip", 5, lambda: iter([b"other"]), 100))
    ((notice, reference),) = inbox.returned()
    assert reference == first
    with pytest.raises(Undeliverable) as told:
        inbox.is_taken(first)
    assert told.value.code == "came-back"
    assert inbox.returned() == [(notice, first)]  # as long as it was not noted
    inbox.forget(notice)
    assert inbox.returned() == []
    assert len(ours.waiting(WORKFLOW, 10)) == 1
    again = replace(bundle, came_back=first)
    second = inbox.put(again).reference
    assert second != first
    assert inbox.put(again).reference == second
    assert practices.waiting(WORKFLOW, 10) == [second]
    with practices.fetch(second) as (head, _):
        assert head.local_id.startswith(bundle.id)
    mesh.return_to_sender(second)
    assert inbox.put(replace(bundle, came_back=second)).reference not in {first, second}


def test_other_messages_hide_no_report(
    mesh: MeshServer, inbox: MeshInbox, practices: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many messages of other kinds lie before it, a report is found in the end, and each of them is looked into once."""
    monkeypatch.setattr("capture.inbox.mesh.MOST_NOTICES", 1)
    reference = inbox.put(a_bundle()).reference
    for number in range(2):
        practices.send(Letter(OURS, WORKFLOW, f"other{number}", "of another kind", "other.zip", 5, lambda: iter([b"other"]), 100))
    mesh.return_to_sender(reference)
    looks = [inbox.returned() for _ in range(4)]
    assert [[about for _, about in found] for found in looks] == [[], [], [reference], [reference]]


def test_a_message_that_mesh_forgot_came_back(inbox: MeshInbox) -> None:
    """A message that MESH does not know is not waited for."""
    with pytest.raises(Undeliverable):
        inbox.is_taken("20200601122152994285_D59900")


def test_nothing_altered_is_sent(inbox: MeshInbox, practices: Mailbox) -> None:
    """A part that is not as it was sealed is named, and no message of it arrives; mended, it goes."""
    bundle = a_bundle()
    photo = bundle.files[1]
    altered = bytearray(b"".join(photo.read()))
    altered[-1] ^= 1
    files = (bundle.files[0], BundleFile(photo.name, photo.size, photo.sha256, lambda: iter([bytes(altered)])))
    with pytest.raises(BundleError) as told:
        inbox.put(replace(bundle, files=files))
    assert told.value.code == "part-altered"
    assert practices.waiting(WORKFLOW, 10) == []
    inbox.put(bundle)
    assert len(practices.waiting(WORKFLOW, 10)) == 1


def test_each_practice_has_its_mailbox(mesh: MeshServer, ours: Mailbox) -> None:
    """A bundle goes to the mailbox of its practice, and to nobody where there is none."""
    inbox = MeshInbox(ours, WORKFLOW, {"A81001": PRACTICE, "A81002": OTHER}, 1_000_000)
    inbox.put(a_bundle(1))
    inbox.put(a_bundle(2, practice="A81002"))
    with pytest.raises(Unavailable) as told:
        inbox.put(a_bundle(3, practice="A81003"))
    assert told.value.code == "mesh-no-mailbox"
    assert [len(Mailbox(mesh.account(name)).waiting(WORKFLOW, 10)) for name in (PRACTICE, OTHER)] == [1, 1]


WHOLE = """
[inboxes.mesh]
kind = "mesh"
title = "the MESH mailbox"
url = "{url}"
mailbox = "X26ABC1"
password_file = "password"
shared_key_file = "shared-key"
workflow = "TEST_WORKFLOW"
"""


def test_its_options(mesh: MeshServer, practices: Mailbox) -> None:
    """The words of docs/inboxes.md make an inbox that sends; paths are beside the file."""
    path = mesh.folder / "inboxes.toml"
    path.write_text(WHOLE.format(url=mesh.url) + 'recipient = "X26ABC2"\nchunk_mb = 1\n')
    place = load_inboxes(path)["mesh"]
    reference = place.inbox.put(a_bundle(size=1_500_000)).reference
    assert practices.waiting(WORKFLOW, 10) == [reference]


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        ("", ["either recipient or recipients must be set"]),
        ('recipient = "A"\nrecipients = { A81001 = "B" }', ["either recipient", "practices and recipients must have the same"]),
        ('practices = ["A81002"]\nrecipients = { A81001 = "B" }', ["practices and recipients must have the same ODS codes"]),
        ('recipient = "a mailbox"', ["recipient must be the name of a mailbox", "either recipient"]),
        ('recipient = "A"\nchunk_mb = 200\npasword = ""', ["chunk_mb must be a whole number from 1 to 100", "'pasword' is not"]),
    ],
)
def test_what_is_wrong_with_its_options(mesh: MeshServer, tmp_path: Path, words: str, problems: list[str]) -> None:
    """Each is told, and over TLS that the client certificate is missing."""
    path = tmp_path / "inboxes.toml"
    path.write_text(WHOLE.format(url=mesh.url).replace('"password"', f'"{mesh.folder}/password"') + words)
    (tmp_path / "shared-key").write_text("a key")
    with pytest.raises(SettingsError) as told:
        load_inboxes(path)
    assert all(any(problem in found for found in told.value.problems) for problem in problems), told.value.problems
    path.write_text(path.read_text().replace("http:", "https:"))
    with pytest.raises(SettingsError) as told:
        load_inboxes(path)
    assert "inbox mesh: certificate_file is not set" in told.value.problems
