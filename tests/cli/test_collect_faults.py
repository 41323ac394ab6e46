"""`capture collect` where something is wrong: the line, the server, the token, the address, the disk, another collector."""

import json
import os
import shutil
import signal
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from capture.actions.tokens import revoke_token
from capture.cli import main
from capture.collecting.folder import Folder
from capture.domain.requests import State
from capture.photos import Cleaner
from capture.sealing.contents import SealedRequest
from tests.builders import bundle_of
from tests.cli.collecting import ROOT, Desk, Line, Site, Stand, line_to, serving, standing, write_keys
from tests.notify.receiver import make_certificate
from tests.sealing.builders import make_bundle
from tests.system.server import wait_until


def test_a_download_that_breaks_off_goes_on(desk: Desk, site: Site) -> None:
    """A connection that breaks in the middle is made again, twice, and asks for the rest; what comes is whole."""
    asked = desk.send()
    with line_to(site.port) as line:
        line.cut_after, line.cuts = 80_000, 2
        assert desk.collect(server=line.origin).stdout == f"collected {asked.receipt}: 2 files\n"
        assert desk.files() == desk.photos(asked)
        first, second, third = line.ranges
        assert first == 0 < second < third


def partly_collected(desk: Desk, line: Line) -> int:
    """The download broke off and the server was gone: how many bytes are kept, of the ciphertext alone."""
    line.cut_after, line.cuts = 40_000, 1
    desk.collect(server=line.origin, code=1)
    (kept,) = (desk.out / ".capture").glob("*.sealed")
    assert desk.left() == [kept.name]
    line.asked.clear()
    return kept.stat().st_size


def test_a_download_goes_on_the_next_time(desk: Desk, site: Site) -> None:
    """What came before a run ended is kept, sealed, and the next run asks for the rest only."""
    asked = desk.send()
    with line_to(site.port) as line:
        kept = partly_collected(desk, line)
        assert kept > 30_000
        assert (desk.files(), desk.state(asked)) == ({}, State.DELIVERED)
        desk.collect(server=line.origin)
        assert line.ranges == [kept - 1]
    assert (desk.files(), desk.left()) == (desk.photos(asked), [])


def test_what_was_kept_and_is_damaged(desk: Desk, site: Site) -> None:
    """A beginning that the disk lost, as when the power went, is found by its hash, and the bundle is fetched anew at once."""
    asked = desk.send()
    with line_to(site.port) as line:
        kept = partly_collected(desk, line)
        (path,) = (desk.out / ".capture").glob("*.sealed")
        path.write_bytes(bytes(kept))
        desk.collect(server=line.origin)
        assert line.ranges == [kept - 1, 0]
    assert desk.files() == desk.photos(asked)


def test_what_was_kept_and_is_of_another_version(desk: Desk, site: Site) -> None:
    """A beginning whose ETag is not the server's, or that is longer than what the server has, is thrown away."""
    asked = desk.send()
    bundle_id = bundle_of(desk.services, asked).id
    work = desk.out / ".capture"
    for name, size in ((f"{bundle_id}.0123456789abcdef.sealed", 1000), (f"{bundle_id}.none.sealed", 99_999_999)):
        work.mkdir(exist_ok=True)
        with (work / name).open("wb") as file:
            file.truncate(size)
        with line_to(site.port) as line:
            desk.collect(server=line.origin)
            assert line.ranges == [size - 1, 0]
        assert (desk.files(), desk.left()) == (desk.photos(asked), [])
        shutil.rmtree(work)
        desk.put(asked, State.DELIVERED)


def test_a_server_that_is_away(desk: Desk) -> None:
    """A server that does not answer is told with what to look at, and the exit code is 1."""
    told = desk.collect(server="http://127.0.0.1:9", code=1)
    assert told.stderr == "error: The server does not answer: Connection refused.\nhint: is --server right, and is it running?\n"
    (line,) = desk.lines(server="http://127.0.0.1:9", code=1)
    assert line["error"]["code"] == "source-away"


def test_a_token_that_does_not_work(desk: Desk) -> None:
    """A revoked token, one that may not read, and one that may not acknowledge are told apart, with the scope that is missing."""
    asked = desk.send()
    revoke_token(desk.services, desk.practice.id, desk.token("bundles:read", "bundles:acknowledge"), actor="operator")
    assert "revoked or over" in desk.collect(code=1).stderr
    desk.token("requests:read", "bundles:acknowledge")
    assert "it lacks bundles:read" in desk.collect(code=1).stderr
    assert desk.files() == {}
    desk.token("bundles:read")
    assert "it lacks bundles:acknowledge" in desk.collect(code=1).stderr
    desk.token("bundles:read", "bundles:acknowledge")
    assert desk.collect().stdout == f"acknowledged {asked.receipt}, which was collected before\n"
    assert desk.files() == desk.photos(asked)


@pytest.mark.parametrize("text", ["", "\n", "capture_short", "\xff\xfe"])
def test_a_file_without_a_token(desk: Desk, text: str) -> None:
    """A file that holds no token is refused before anything is asked, without a word of what it holds."""
    (desk.folder / "token").write_text(text, "latin-1")
    told = desk.collect(code=1, server="http://127.0.0.1:9").stderr
    assert "holds no token" in told
    assert "capture_short" not in told


@pytest.mark.parametrize(
    "url",
    [
        "http://photos.example.org",
        "http://10.0.0.1:8000",
        "ftp://photos.example.org",
        "https://user:pass@photos.example.org",
        "https://photos.example.org/staff/",
        "https://photos.example.org?x=1",
        "https://photos.example.org:port",
        "photos.example.org",
        "https://",
        "https://photos..example.org",
        f"https://{'a' * 64}.example.org",
        "https://photos example.org",
        "https://photos\x01example.org",
    ],
)
def test_an_address_that_gets_no_token(desk: Desk, url: str) -> None:
    """The token goes over TLS, or to this machine itself, to an address that is nothing but one."""
    assert "hint: https://" in desk.collect(server=url, code=1).stderr


def test_a_server_that_redirects(desk: Desk) -> None:
    """A redirect is an error that says so, and the token is not taken anywhere (SECURITY 43)."""
    with standing() as stand, standing() as elsewhere:
        stand.answers[""] = (302, {"Location": f"http://127.0.0.1:{elsewhere.port}/api/v1/bundles"})
        told = desk.collect(server=stand.origin, code=1).stderr
        assert "redirects are not followed" in told
        assert (len(stand.asked), elsewhere.asked) == (1, [])


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (503, {"Retry-After": "17"}, "try again in 17 seconds"),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "try again later"),
        (429, {"Retry-After": "60"}, "try again in 60 seconds"),
        (500, {}, "try again later"),
        (404, {}, "no API at this address"),
        (418, {}, "does not answer as a Capture service does: it says 418"),
        (200, {}, "does not answer as a Capture service does: its answer is no JSON"),
    ],
)
def test_a_server_that_says_no(desk: Desk, status: int, headers: dict[str, str], words: str) -> None:
    """What a server answers instead of bundles is told in words, with when to try again if it says so."""
    with standing() as stand:
        stand.answers[""] = (status, headers)
        assert words in desk.collect(server=stand.origin, code=1).stderr


def waiting_at(stand: Stand, folder: Path, *failing: int) -> list[str]:
    """Four bundles wait, the first one longest; for those with these numbers the server has no answer. The command's arguments."""
    first = make_bundle()
    for number in range(4):
        made = make_bundle(key=first.key, identity=first.identity, request=partial(_numbered, number))
        stand.bundles.insert(0, made)
        if number in failing:
            stand.answers[f"{ROOT}{made.bundle.manifest.bundle}"] = (503, {"Retry-After": "1"})
    (folder / "out").mkdir()
    return [*write_keys(folder, first), "--out", str(folder / "out"), "--server", stand.origin]


def _numbered(number: int, request: SealedRequest) -> SealedRequest:
    return replace(request, bundle=str(number) * 32, receipt=f"KX7-P3{number}")


def test_a_bundle_that_the_server_fails_on(tmp_path: Path) -> None:
    """Faults: what the server cannot send just now is named and waits, the others come; the exit code is that of a server away."""
    with standing() as stand:
        args = waiting_at(stand, tmp_path, 0, 2)
        told = CliRunner().invoke(main, args)
        lines = [json.loads(line) for line in CliRunner().invoke(main, [*args, "--json"]).stdout.splitlines()]
        assert stand.acknowledged == ["1" * 32, "3" * 32]
    assert (told.exit_code, told.stdout) == (1, "collected KX7-P31: 3 files\ncollected KX7-P33: 3 files\n")
    said = "The server cannot answer just now (503).\nhint: it asks to try again in 1 seconds\n"
    assert told.stderr == f"error: KX7-P30: {said}error: KX7-P32: {said}error: {said}"
    assert [(line.get("receipt"), line["error"]["code"]) for line in lines] == [("KX7-P30", "source-away"), (None, "source-away")]


def test_a_server_that_fails_on_all(tmp_path: Path) -> None:
    """After two bundles in a row that do not come the server counts as away, and is left alone."""
    with standing() as stand:
        args = waiting_at(stand, tmp_path, 1, 2)
        assert CliRunner().invoke(main, args).exit_code == 1
        assert [path.removeprefix(ROOT)[0] for path in stand.asked[1:]] == ["0", "1", "2"]
        assert stand.acknowledged == ["0" * 32]


def test_two_bundles_that_the_server_fails_on(tmp_path: Path) -> None:
    """With --watch those that did not come are tried last the next time, so that two of them keep no other back."""

    def end() -> None:
        wait_until(lambda: len(stand.acknowledged) == 2)
        os.kill(os.getpid(), signal.SIGTERM)

    with standing() as stand:
        args = waiting_at(stand, tmp_path, 0, 1)
        thread = threading.Thread(target=end)
        thread.start()
        told = CliRunner().invoke(main, [*args, "--watch", "--every", "1"])
        thread.join()
        assert stand.acknowledged == ["2" * 32, "3" * 32]
    assert told.exit_code == 0


def test_a_private_authority(cleaner: Cleaner, empty: Path, tmp_path: Path) -> None:
    """Over TLS the certificate must be one that is trusted: --ca-file names the authority; without it nothing is sent."""
    certificate = make_certificate(tmp_path / "server.pem", "localhost")
    with serving(shutil.copytree(empty, tmp_path / "var"), cleaner, certificate) as site:
        desk = site.desk(tmp_path)
        asked = desk.send()
        server = f"https://localhost:{site.port}"
        assert "certificate is not trusted" in desk.collect(server=server, code=1).stderr
        desk.collect("--ca-file", certificate, server=server)
        assert desk.files() == desk.photos(asked)
        (tmp_path / "none.pem").write_text("no certificate")
        assert "none.pem" in desk.collect("--ca-file", tmp_path / "none.pem", server=server, code=1).stderr


def test_two_at_once(desk: Desk, site: Site) -> None:
    """A second collector on the same folder says so and asks for nothing; when the first is gone it may."""
    asked = desk.send()
    folder = Folder(desk.out)
    with line_to(site.port) as line:
        assert f"Another `capture collect` works on {desk.out}." in desk.collect(server=line.origin, code=1).stderr
        assert line.asked == []
    folder.close()
    desk.collect()
    assert desk.files() == desk.photos(asked)


def test_a_folder_that_cannot_be_written(desk: Desk, site: Site) -> None:
    """A folder that is not there, or that takes no files, is refused before anything is asked for."""
    with line_to(site.port) as line:
        assert "does not exist" in desk.collect("--out", desk.folder / "unmounted", server=line.origin, code=2).stderr
        assert "/sys" in desk.collect("--out", "/sys", server=line.origin, code=1).stderr
        assert line.asked == []


def test_a_disk_that_is_full(desk: Desk, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for a bundle and its files, it is not fetched, and waits."""
    asked = desk.send()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=64 << 20))
    told = desk.collect(code=1).stderr
    assert "There is no room for a bundle of " in told
    assert (desk.files(), desk.left(), desk.state(asked)) == ({}, [], State.DELIVERED)


def test_a_disk_that_is_full_for_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --watch a disk that is full, or does not answer, is told and waited for; what waits comes once there is room."""
    asked, real = desk.send(), shutil.disk_usage
    answers: list[object] = [SimpleNamespace(free=0), OSError(5, "Input/output error")]

    def usage(path: Path) -> object:
        answer = answers.pop(0) if answers else real(path)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(shutil, "disk_usage", usage)

    def end() -> None:
        wait_until(lambda: desk.state(asked) == State.COLLECTED)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=end)
    thread.start()
    told = desk.collect("--watch", "--every", 1)
    thread.join()
    assert told.stderr.startswith("error: There is no room for a bundle")
    assert f"error: {desk.out}: Input/output error\n" in told.stderr
    assert desk.files() == desk.photos(asked)


def test_photos_that_are_deleted_meanwhile(tmp_path: Path) -> None:
    """A bundle that is deleted between the list and the download is told as gone; what came of it goes once it does not wait."""
    made, out = make_bundle(), tmp_path / "out"
    (out / ".capture").mkdir(parents=True)
    kept = out / ".capture" / f"{made.bundle.manifest.bundle}.0123456789abcdef.sealed"
    kept.write_bytes(b"x")
    with standing() as stand:
        stand.bundles, stand.answers = [made], {ROOT: (410, {})}
        args = [*write_keys(tmp_path, made), "--out", str(out), "--server", stand.origin]
        told = [CliRunner().invoke(main, args)]
        stand.bundles = []
        told.append(CliRunner().invoke(main, args))
    assert [(one.output, one.exit_code) for one in told] == [("KX7-P3Q does not wait any longer\n", 0), ("Nothing waits.\n", 0)]
    assert not kept.exists()
