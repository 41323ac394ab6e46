"""Sealed parts in a folder or a bucket: durable before `put` returns, written once, never anywhere else."""

import errno
import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from capture.app import choose_blobs
from capture.errors import CaptureError, NotFound, SettingsError, Unavailable
from capture.settings import ROOT, load_settings
from capture.store.blobs import BlobStore, FolderBlobs, begin_store, new_name
from capture.store.models import new_id
from tests import needs
from tests.fault_proxy import fault_proxy
from tests.s3_server import S3Server

PUT = """
import sys
from pathlib import Path
from capture.store.blobs import FolderBlobs
blobs = FolderBlobs(Path(sys.argv[1]))
Path(sys.argv[1]).joinpath("begin").unlink(missing_ok=True)
blobs.put(sys.argv[2], b"sealed" * 5000)
Path(sys.argv[1]).joinpath("end").unlink(missing_ok=True)
"""


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """A store of each kind, with nothing in it; what the tests that ask for it promise holds for all."""
    if request.param == "folder":
        return FolderBlobs(tmp_path / "blobs")
    return s3_store(request.getfixturevalue("s3"), tmp_path)


def s3_store(s3: S3Server, tmp_path: Path, port: int = 0, more: str = "") -> BlobStore:
    """A store in a new bucket, as a setting names it."""
    where = f"endpoint=http://127.0.0.1:{port or s3.port}&access_key={s3.access_key}&secret_file={s3.secret_file}"
    return choose_blobs(load_settings({}, var=tmp_path, blobs=f"s3://{s3.make_bucket()}/sealed?{where}{more}"))


def contents(blobs: BlobStore, name: str) -> bytes:
    return b"".join(blobs.read(name))


def test_what_was_put_is_read_back(store: BlobStore) -> None:
    """A part is read back whole, in pieces of bounded size."""
    name, data = new_name(new_id()), os.urandom(600_000)
    store.put(name, data)
    pieces = list(store.read(name))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 262_144


def test_nobody_else_can_read_it(blobs: FolderBlobs, tmp_path: Path) -> None:
    """In a folder only this user can read a part."""
    name = new_name(new_id())
    blobs.put(name, b"sealed")
    path = tmp_path / "blobs" / name
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_without_its_mark_is_away(tmp_path: Path) -> None:
    """Nothing is written, removed, missing or listed in an empty folder without the mark, which a start puts into a new one."""
    folder, name = tmp_path / "blobs", new_name(new_id())
    blobs = FolderBlobs(folder, marked=True)
    for act in (lambda: blobs.put(name, b"1"), lambda: blobs.read(name), lambda: blobs.delete(name), lambda: list(blobs.names())):
        with pytest.raises(Unavailable) as caught:
            act()
        assert "mounted" in (caught.value.hint or "")
    assert not begin_store(folder, is_new=False)
    assert list(folder.iterdir()) == []
    assert begin_store(folder, is_new=True)
    blobs.put(name, b"1")
    assert [found for found, _ in blobs.names()] == [name]
    blobs.delete(name)
    with pytest.raises(NotFound):
        blobs.read(name)


def test_a_name_is_written_once(store: BlobStore) -> None:
    """A second write under a name is refused and changes nothing; nothing half-written stays behind."""
    name = new_name(new_id())
    store.put(name, b"first")
    with pytest.raises(Unavailable):
        store.put(name, b"second")
    assert contents(store, name) == b"first"
    assert [found for found, _ in store.names()] == [name]


def test_what_is_missing_is_told_at_once(store: BlobStore) -> None:
    """What is not there is told by `read` itself, before a single byte could be sent on."""
    with pytest.raises(NotFound):
        store.read(new_name(new_id()))


def test_what_the_disk_does_not_give_back_is_told_at_once(blobs: FolderBlobs) -> None:
    """So is what cannot be read, with a hint."""
    name = new_name(new_id())
    blobs._path(name).mkdir(parents=True)
    with pytest.raises(Unavailable) as caught:
        blobs.read(name)
    assert "cannot be read" in (caught.value.hint or "")


def test_deleting(store: BlobStore) -> None:
    """A deleted part is gone, the others of its request stay; deleting again is no error."""
    request = new_id()
    one, other = new_name(request), new_name(request)
    store.put(one, b"1")
    store.put(other, b"2")
    store.delete(one)
    with pytest.raises(NotFound):
        contents(store, one)
    assert contents(store, other) == b"2"
    for name in (other, other, one):
        store.delete(name)
    assert list(store.names()) == []


def test_the_folder_goes_with_its_parts(blobs: FolderBlobs, tmp_path: Path) -> None:
    """The folder of a request goes with its last part."""
    name = new_name(new_id())
    blobs.put(name, b"1")
    blobs.delete(name)
    assert list((tmp_path / "blobs").iterdir()) == []


def test_every_name_is_listed(store: BlobStore) -> None:
    """All parts are listed in order, from any name on, with when they were written."""
    names = sorted(new_name(request) for request in (new_id(), new_id()) for _ in range(2))
    before = datetime.now(UTC) - timedelta(seconds=5)
    for name in names:
        store.put(name, b"1")
    assert [name for name, _ in store.names()] == names
    assert all(before < written < before + timedelta(minutes=5) for _, written in store.names())
    for number, name in enumerate(names, 1):
        assert [found for found, _ in store.names(name)] == names[number:]


def test_what_a_cut_off_write_left_is_listed(blobs: FolderBlobs, tmp_path: Path) -> None:
    """Among the names in a folder is what a write left that was cut off, to be deleted; what is not ours is not."""
    torn, name = f"{new_id()}/.{new_id()[:16]}.part", new_name(new_id())
    blobs.put(name, b"1")
    (tmp_path / "blobs" / torn).parent.mkdir()
    for stray in (torn, "stray", f"{name[:33]}stray"):
        (tmp_path / "blobs" / stray).write_bytes(b"half")
    assert [found for found, _ in blobs.names()] == sorted([torn, name])
    blobs.delete(torn)
    assert [found for found, _ in blobs.names()] == [name]


def test_a_store_that_cannot_be_listed_is_told(blobs: FolderBlobs, tmp_path: Path) -> None:
    """Where the folder is gone the operator is told; nobody takes it for an empty one."""
    (tmp_path / "blobs").rmdir()
    with pytest.raises(Unavailable):
        list(blobs.names())


def test_a_bucket_out_of_reach(s3: S3Server, tmp_path: Path) -> None:
    """The table of faults: nothing is promised while S3 is away; then all goes on, also what lost its answer."""
    with fault_proxy(s3.port) as proxy:
        store, name = s3_store(s3, tmp_path, proxy.port, "&connect_seconds=1&read_seconds=3"), new_name(new_id())
        with proxy.refusing():
            for act in (lambda: store.put(name, b"1"), lambda: store.read(name), lambda: store.delete(name)):
                with pytest.raises(Unavailable) as caught:
                    act()
                assert caught.value.code == "s3-away"
            with pytest.raises(Unavailable):
                list(store.names())
        proxy.fail("lost")
        with pytest.raises(Unavailable):
            store.put(name, b"1")
        store.put(name, b"1")
        assert contents(store, name) == b"1"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("file:///tmp", "blobs must be empty, or a bucket"),
        ("s3://Elm", "setting blobs: bucket must be the name of a bucket"),
        ("s3://elm?endpoint=s3.elm.example", "setting blobs: endpoint must be an address"),
        ("s3://elm?access_key=CAPTURE", "setting blobs: access_key and secret_file go together"),
        ("s3://elm?read_seconds=soon", "setting blobs: read_seconds must be a whole number"),
        ("s3://elm?password=1", "setting blobs: 'password' is not a word of this kind of setting"),
    ],
)
def test_a_setting_that_names_no_bucket(tmp_path: Path, address: str, problem: str) -> None:
    """What is wrong with the setting is told at the start."""
    with pytest.raises(SettingsError) as caught:
        choose_blobs(load_settings({}, var=tmp_path, blobs=address))
    assert caught.value.problems[0].startswith(problem)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../secret",
        f"{'a' * 32}/../../secret",
        f"/{'a' * 31}/{'b' * 32}.age",
        f"{'a' * 32}/{'b' * 32}.age\n",
        f"{'a' * 32}/{'b' * 32}.age/x",
        f"{'A' * 32}/{'b' * 32}.age",
        f"{'a' * 32}\\{'b' * 32}.age",
        f"{'a' * 32}/{'b' * 32}.age\0",
        f"{'a' * 32}/{'b' * 32}",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(store: BlobStore, tmp_path: Path, name: str) -> None:
    """Only the form of our own names is a name: nothing is read, written or deleted anywhere else (SECURITY 22)."""
    (tmp_path / "secret").write_bytes(b"not yours")
    for act in (lambda: store.put(name, b"x"), lambda: contents(store, name), lambda: store.delete(name)):
        with pytest.raises(NotFound):
            act()
    assert {path.name for path in tmp_path.rglob("*")} <= {"blobs", "secret"}
    assert list(store.names()) == []


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "no-space"), (errno.EDQUOT, "no-space"), (errno.EIO, "unavailable")])
@pytest.mark.parametrize("call", ["fsync", "fdopen"])
def test_a_disk_that_does_not_take_it(
    blobs: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, code: str
) -> None:
    """A full disk or an error in fsync is never acknowledged, leaves nothing behind, and is over when space is back (faults)."""
    name = new_name(new_id())

    def fail(*_args: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(f"capture.sealing.files.os.{call}", fail)
        with pytest.raises(Unavailable) as caught:
            blobs.put(name, b"sealed")
    assert caught.value.code == code
    assert os.strerror(number) in (caught.value.hint or "")
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []
    blobs.put(name, b"sealed")
    assert contents(blobs, name) == b"sealed"


def test_a_full_file_system(tmp_path: Path) -> None:
    """On a file system that is really full a part is refused as no-space, and a smaller one is taken (faults: disk full)."""
    unshare = needs.program("unshare", install="apt install util-linux")
    command = "mount -t tmpfs -o size=256k none {0} && exec {1} -c {2} {0}"
    code = (
        "import sys; from pathlib import Path; from capture.store.blobs import FolderBlobs, new_name\n"
        "from capture.errors import Unavailable\n"
        "blobs = FolderBlobs(Path(sys.argv[1]) / 'blobs')\n"
        "try: blobs.put(new_name('a' * 32), bytes(2_000_000))\n"
        "except Unavailable as error: print(error.code)\n"
        "name = new_name('a' * 32); blobs.put(name, b'small'); print(b''.join(blobs.read(name)).decode())\n"
    )
    shell = command.format(shlex.quote(str(tmp_path)), sys.executable, shlex.quote(code))
    done = subprocess.run(
        [unshare, "--map-root-user", "--mount", "sh", "-c", shell], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["no-space", "small"]


def test_the_order_of_a_durable_write(tmp_path: Path) -> None:
    """Seen from outside: the bytes, fsync of the file, its name, fsync of the folder, and only then does `put` return (faults)."""
    strace = needs.program("strace", install="apt install strace")
    trace, folder, name = tmp_path / "trace", tmp_path / "blobs", f"{'a' * 32}/{'b' * 32}.age"
    calls = "trace=write,fsync,fdatasync,link,linkat,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat"
    command = [strace, "-f", "-y", "-s", "40", "-e", calls, "-o", trace, sys.executable, "-c", PUT, folder, name]
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True)
    lines = trace.read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if "/begin" in line)
    end = next(number for number, line in enumerate(lines) if "/end" in line)
    seen = [step for line in lines[begin + 1 : end] if str(folder) in line for step in _steps(line, folder)]
    assert seen == [
        "mkdir request",
        "fsync blobs",
        "write part",
        "fsync part",
        "link part to name",
        "unlink part",
        "fsync request",
    ]


def _steps(line: str, folder: Path) -> list[str]:
    """A line of the trace, with our paths as words."""
    request = f"{folder}/{'a' * 32}"
    line = re.sub(rf"{request}/\.[0-9a-f]+\.part", "PART", line).replace(f"{request}/{'b' * 32}.age", "NAME")
    line = line.replace(request, "REQUEST").replace(str(folder), "BLOBS")
    patterns = {
        r'mkdir(at)?\(.*"REQUEST".* = 0': "mkdir request",
        r"fsync\(\d+<BLOBS>\) += 0": "fsync blobs",
        r"write\(\d+<PART>.* = 30000": "write part",
        r"fsync\(\d+<PART>\) += 0": "fsync part",
        r'link(at)?\(.*"PART".*"NAME".* = 0': "link part to name",
        r'unlink(at)?\(.*"PART".* = 0': "unlink part",
        r"fsync\(\d+<REQUEST>\) += 0": "fsync request",
    }
    return [step for pattern, step in patterns.items() if re.search(pattern, line)] or [line]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where the folder should be stops the start with a sentence and a hint."""
    (tmp_path / "blobs").write_text("in the way")
    with pytest.raises(CaptureError) as caught:
        FolderBlobs(tmp_path / "blobs")
    assert caught.value.hint
