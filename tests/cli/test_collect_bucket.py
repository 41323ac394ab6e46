"""`capture collect --from s3://…`: bundles straight from the practice's bucket on a real server, with no access to the service."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from capture.bucket.client import Access
from capture.bucket.objects import RANGE, Bucket
from capture.cli import main
from capture.inbox.s3 import S3Inbox
from capture.sealing.contents import SealedRequest
from tests.cli.collecting import as_it_travels, write_keys
from tests.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.s3_server import S3Server
from tests.sealing.builders import VIEWS, Made, make_bundle

PREFIX = "capture/A81001/"


@dataclass
class Place:
    """A bucket behind a proxy of faults, the inbox that writes to it past that, and the machine that collects from it."""

    server: S3Server
    name: str
    proxy: FaultProxy
    folder: Path
    made: Made

    def put(self, made: Made, prefix: str = "capture/{ods}/") -> str:
        """The service has put that bundle there: the object's name."""
        access = Access(self.name, self.server.url, access_key=self.server.access_key, secret_file=Path(self.server.secret_file))
        bundle = as_it_travels(made)
        S3Inbox(Bucket(access), prefix).put(bundle)
        return f"{prefix.replace('{ods}', bundle.practice)}{bundle.receipt}-{bundle.id}.zip"

    def keys(self) -> set[str]:
        """What lies in the bucket."""
        with closing(self.server.client()) as client:
            return {row["Key"] for row in client.list_objects_v2(Bucket=self.name).get("Contents", [])}

    def write(self, key: str, data: bytes) -> None:
        with closing(self.server.client()) as client:
            client.put_object(Bucket=self.name, Key=key, Body=data)

    def collect(self, *more: str, code: int = 0, **env: str) -> Result:
        """Run the command for that bundle's practice."""
        args = [*write_keys(self.folder, self.made)[:-2], "--from", f"s3://{self.name}/{PREFIX}", "--out", str(self.folder / "out")]
        args += ["--endpoint", f"http://127.0.0.1:{self.proxy.port}", "--settings-file", str(self.folder / "s3.toml"), *more]
        result = CliRunner().invoke(main, args, env=env)
        assert result.exit_code == code, result.output
        return result

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "out").iterdir() if path.is_file()}


def wanted(made: Made) -> dict[str, bytes]:
    names = [f"{view}_{number}of3.jpg" for number, view in enumerate(VIEWS, 1)]
    receipt = made.bundle.manifest.receipt
    return {f"{receipt}_2026-11-22_left-forearm_{name}": jpeg for name, jpeg in zip(names, made.jpegs.values(), strict=True)}


def another(made: Made) -> Made:
    """Another bundle of that practice."""

    def changed(request: SealedRequest) -> SealedRequest:
        return replace(request, bundle="c" * 32, receipt="QQ2-P3Q")

    return make_bundle(key=made.key, identity=made.identity, request=changed)


@pytest.fixture
def place(s3: S3Server, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "out").mkdir()
    (tmp_path / "s3.toml").write_text(f'access_key = "{s3.access_key}"\nsecret_file = "{s3.secret_file}"\n')
    with fault_proxy(s3.port) as proxy:
        yield Place(s3, s3.make_bucket(), proxy, tmp_path, make_bundle())


def test_objects_become_files(place: Place) -> None:
    """Bundles in the bucket become files, those that came first first; objects stay, and are not collected again."""
    other = another(place.made)
    keys = {place.put(other), place.put(place.made)}
    place.write(f"{PREFIX}notes.txt", b"not ours")
    assert place.collect().stdout.splitlines() == ["collected QQ2-P3Q: 3 files", "collected KX7-P3Q: 3 files"]
    assert place.files() == wanted(other) | wanted(place.made)
    assert place.keys() == {*keys, f"{PREFIX}notes.txt"}
    assert place.collect().stdout == "Nothing waits.\n"


def test_a_prefix_without_its_slash(place: Place) -> None:
    """A folder may be named without its slash; names that begin with the prefix itself are bundles all the same, and no others."""
    (inside, beside) = place.put(place.made), place.put(another(place.made), "capture/{ods}")
    for key in ("capture/A810011/", "capture/A81001//", "capture/A81001/old/"):
        place.write(key + inside.removeprefix(PREFIX), b"not ours")
    assert beside == f"capture/A81001QQ2-P3Q-{'c' * 32}.zip"
    told = place.collect("--from", f"s3://{place.name}/{PREFIX.removesuffix('/')}", "--delete")
    assert told.stdout.splitlines() == ["collected KX7-P3Q: 3 files", "collected QQ2-P3Q: 3 files"]
    assert not place.keys() & {inside, beside}
    assert len(place.keys()) == 3


def test_deleting(place: Place) -> None:
    """With --delete an object is taken away once its files are there, also one that was collected before; nothing else is."""
    place.put(place.made)
    place.write(f"{PREFIX}notes.txt", b"not ours")
    place.collect()
    assert place.collect("--delete").stdout == "acknowledged KX7-P3Q, which was collected before\n"
    assert place.keys() == {f"{PREFIX}notes.txt"}
    place.put(another(place.made))
    place.collect("--delete")
    assert place.keys() == {f"{PREFIX}notes.txt"}


def test_an_object_that_is_not_what_it_says(place: Place) -> None:
    """An object that was cut, or written by somebody else, is named and stays, with --delete too; the others come (SECURITY 36)."""
    forged = f"{PREFIX}ZZZ-ZZZ-{'d' * 32}.zip"
    place.write(forged, place.made.zip()[:-100])
    place.put(place.made)
    told = place.collect("--delete", code=3)
    assert "error: ZZZ-ZZZ: This is not a bundle" in told.stderr
    assert (place.files(), place.keys()) == (wanted(place.made), {forged})


def test_a_download_that_breaks_off(place: Place) -> None:
    """What came before the line broke is kept, and the next run goes on there."""
    jpegs = [b"\xff\xd8 context", b"\xff\xd8" + os.urandom(10_000_000), b"\xff\xd8 scale"]
    large = make_bundle(jpegs, key=place.made.key, identity=place.made.identity)
    place.put(large)
    place.proxy.fail(Fault("torn", after=9_000_000), Fault("torn", after=70_000))  # behind the first 8 MB, twice
    assert "error: The bucket does not answer." in place.collect(code=1).stderr
    assert (place.files(), place.proxy.left) == ({}, 0)
    (kept,) = (place.folder / "out" / ".capture").glob("*.sealed")
    assert kept.stat().st_size == RANGE
    before = place.proxy.exchanges
    place.collect()
    assert place.files() == wanted(large)
    assert place.proxy.exchanges - before == 3  # list, head, the rest


def test_a_bucket_that_is_not_right(place: Place) -> None:
    """A bucket that does not answer, one that is not there, and a key that is refused are told apart."""
    with place.proxy.refusing():
        assert "error: The bucket does not answer." in place.collect(code=1).stderr
    assert "bucket-none" in place.collect("--from", "s3://bucket-none", code=4).stderr
    assert "region must be" in place.collect("--region", "Mars!", code=4).stderr
    (place.folder / "s3.toml").write_text(f'access_key = "NOBODY"\nsecret_file = "{place.server.secret_file}"\n')
    assert "refuses the access key" in place.collect(code=4).stderr
    assert place.files() == {}


def test_credentials_of_the_usual_chain(place: Place) -> None:
    """Without a settings file the key is the one that AWS's tools would find."""
    place.put(place.made)
    (place.folder / "s3.toml").write_text("# as PowerShell writes it\n", "utf-8-sig")
    secret = Path(place.server.secret_file).read_text()
    place.collect(AWS_ACCESS_KEY_ID=place.server.access_key, AWS_SECRET_ACCESS_KEY=secret)
    assert place.files() == wanted(place.made)
