"""`capture collect --from mesh://…`: bundles straight from the practice's mailbox, with no access to the service."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from capture.cli import main
from capture.inbox.mesh import MeshInbox
from capture.mailbox import Letter, Mailbox
from capture.sealing.keys import Identity, write_identity_file
from tests.cli.collecting import as_it_travels, write_keys
from tests.fault_proxy import Fault, fault_proxy
from tests.mesh.server import PRACTICE, WORKFLOW, MeshServer
from tests.sealing.builders import AT, VIEWS, Made, make_bundle

Collect = Callable[..., Result]


@pytest.fixture
def made() -> Made:
    return make_bundle()


@pytest.fixture
def collect(mesh: MeshServer, made: Made, tmp_path: Path) -> Collect:
    """Run the command for that bundle's practice; a change of the settings file is `settings`."""
    (tmp_path / "out").mkdir()
    args = write_keys(tmp_path, made)[:-2]
    told = {"url": mesh.url, "workflow": WORKFLOW}
    told |= {"password_file": str(mesh.folder / "password"), "shared_key_file": str(mesh.folder / "shared-key")}

    def run(*more: object, code: int = 0, **settings: str) -> Result:
        lines = [f"{word} = {json.dumps(value)}\n" for word, value in (told | settings).items() if value]
        (tmp_path / "mesh.toml").write_text("".join(lines))
        given = ["--from", f"mesh://{PRACTICE}", "--settings-file", tmp_path / "mesh.toml", "--out", tmp_path / "out", *more]
        result = CliRunner().invoke(main, [*args, *map(str, given)])
        assert result.exit_code == code, result.output
        return result

    return run


def letter(data: bytes, bundle_id: str = "b" * 32, **changes: Any) -> Letter:
    plain = Letter(PRACTICE, WORKFLOW, bundle_id, "Sealed photos", "capture-KX7-P3Q.zip", len(data), lambda: iter([data]), 50_000)
    return replace(plain, **changes)


def files(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}


def wanted(made: Made) -> dict[str, bytes]:
    names = [f"{view}_{number}of3.jpg" for number, view in enumerate(VIEWS, 1)]
    return {f"KX7-P3Q_2026-11-22_left-forearm_{name}": jpeg for name, jpeg in zip(names, made.jpegs.values(), strict=True)}


def test_a_message_becomes_files(ours: Mailbox, practices: Mailbox, collect: Collect, made: Made, tmp_path: Path) -> None:
    """A bundle in the mailbox becomes files, then MESH is told so and the service with it; what is no bundle stays there."""
    other = ours.send(letter(b"letter", "letter-1", file_name="letter.txt"))
    sent = MeshInbox(ours, WORKFLOW, {"": PRACTICE}, 50_000).put(as_it_travels(made)).reference
    assert collect().stdout == "collected KX7-P3Q: 3 files\n"
    assert files(tmp_path) == wanted(made)
    assert (ours.status(sent), practices.waiting(WORKFLOW, 9)) == ("acknowledged", [other])
    assert collect().stdout == "Nothing waits.\n"


def test_a_message_that_does_not_open(ours: Mailbox, collect: Collect, made: Made, tmp_path: Path) -> None:
    """A bundle that the identity does not open is named and stays in the mailbox, until the right one is there."""
    sent, right = ours.send(letter(made.zip())), (tmp_path / "identity").read_text()
    (tmp_path / "identity").write_text(write_identity_file(Identity.generate(), AT, made.key.verifying_key))
    assert "error: KX7-P3Q: This bundle is not sealed to this identity." in collect(code=3).stderr
    assert (ours.status(sent), files(tmp_path)) == ("accepted", {})
    (tmp_path / "identity").write_text(right)
    collect()
    assert (ours.status(sent), files(tmp_path)) == ("acknowledged", wanted(made))


def test_a_bundle_that_comes_twice(ours: Mailbox, practices: Mailbox, collect: Collect, made: Made, tmp_path: Path) -> None:
    """A bundle that is sent again is acknowledged again, and not written a second time."""
    ours.send(letter(made.zip()))
    collect()
    for name in files(tmp_path):
        (tmp_path / "out" / name).unlink()
    ours.send(letter(made.zip(), f"{'b' * 32}-0123abcd"))
    assert collect().stdout == "acknowledged KX7-P3Q, which was collected before\n"
    assert (files(tmp_path), practices.waiting(WORKFLOW, 9)) == ({}, [])


def test_a_message_that_only_says_it_is_a_bundle(
    ours: Mailbox, practices: Mailbox, collect: Collect, made: Made, tmp_path: Path
) -> None:
    """Anyone may send under a bundle's name: that is refused by its signature, and the bundle itself comes (SECURITY 36)."""
    forged = ours.send(letter(make_bundle(identity=made.identity).zip(), f"{'b' * 32}-0123abcd"))
    ours.send(letter(made.zip()))
    told = collect(code=3)
    assert "another server signed this bundle" in told.stderr
    assert (told.stdout, files(tmp_path)) == ("collected KX7-P3Q: 3 files\n", wanted(made))
    assert practices.waiting(WORKFLOW, 9) == [forged]


def test_a_line_that_fails(mesh: MeshServer, ours: Mailbox, collect: Collect, made: Made, tmp_path: Path) -> None:
    """A message that is torn off is fetched again the next time; one whose acknowledgement got no answer is not written again."""
    sent, fine = ours.send(letter(made.zip(), chunk=1_000_000)), Fault("torn", after=1 << 30)
    with fault_proxy(mesh.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        proxy.fail(fine, Fault("torn", after=20_000))  # handshake, list and head; message
        assert "MESH does not answer" in collect(code=1, url=url).stderr
        assert (ours.status(sent), files(tmp_path), proxy.left) == ("accepted", {}, 0)
        proxy.fail(fine, Fault("lost", after=700))  # handshake, list and head; message and, beyond it, acknowledgement
        assert "MESH does not answer" in collect(code=1, url=url).stderr
        assert (ours.status(sent), files(tmp_path), proxy.left) == ("acknowledged", wanted(made), 0)
        assert collect(url=url).stdout == "Nothing waits.\n"


def test_settings_that_are_not_right(mesh: MeshServer, collect: Collect, tmp_path: Path) -> None:
    """Every word of the settings file that is missing or wrong is told at once; a refused password and MESH away are told apart."""
    told = collect(code=4, url="", workflow="", password_file="nowhere", colour="red").stderr
    for words in ("url is not set", "workflow is not set", "password_file", "'colour'"):
        assert words in told
    (tmp_path / "wrong").write_text("not it")
    assert "MESH answers 403" in collect(code=4, password_file=str(tmp_path / "wrong")).stderr
    assert "error: MESH does not answer." in collect(code=1, url="http://127.0.0.1:9").stderr
    (tmp_path / "bad.toml").write_text("url = ")
    assert "bad.toml cannot be read" in collect("--settings-file", tmp_path / "bad.toml", code=4).stderr


def test_where_to_collect_from(collect: Collect) -> None:
    """There is one place to collect from, of a kind that there is, with what it needs."""
    for words, told in (
        (("--server", "https://photos.example.org"), "Give --server, or --from"),
        (("--from", "ftp://x"), "--from is mesh://"),
    ):
        assert told in collect(*words, code=2).stderr
