"""S3 as an inbox, on a real server, the network between failing."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from capture.bucket.client import Access
from capture.bucket.objects import Bucket
from capture.errors import SettingsError, Undeliverable
from capture.inbox import load_inboxes
from capture.inbox.base import BundleFiles
from capture.inbox.s3 import S3Inbox
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.inbox.contract import FarInboxContract
from tests.s3_server import S3Server


@dataclass
class InBucket:
    """See There: a bucket behind a proxy of faults, looked at past it."""

    server: S3Server
    bucket: str
    proxy: FaultProxy
    inbox: S3Inbox

    def fetch(self, bundle: BundleFiles) -> list[bytes]:
        client = self.server.client()
        try:
            prefix = f"capture/{bundle.practice}/"
            rows = client.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
            keys = [row["Key"] for row in rows if bundle.id in row["Key"]]
            assert set(keys) <= {f"{prefix}{bundle.receipt}-{bundle.id}.zip"}
            return [client.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys]
        finally:
            client.close()

    def away(self) -> AbstractContextManager[object]:
        return self.proxy.refusing()

    @contextmanager
    def losing(self) -> Iterator[None]:
        self.proxy.fail("lost")
        yield
        assert not self.proxy.left


@pytest.fixture
def there(s3: S3Server) -> Iterator[InBucket]:
    name = s3.make_bucket()
    with fault_proxy(s3.port) as proxy:
        access = Access(name, f"http://127.0.0.1:{proxy.port}", access_key=s3.access_key, secret_file=Path(s3.secret_file))
        yield InBucket(s3, name, proxy, S3Inbox(Bucket(access), "capture/{ods}/"))


class TestS3(FarInboxContract):
    """The contract, for S3."""


def test_another_object_of_the_name(there: InBucket, bundle: BundleFiles) -> None:
    """Something else that lies there is told as what no later try mends, and not touched."""
    client = there.server.client()
    key = f"capture/{bundle.practice}/{bundle.receipt}-{bundle.id}.zip"
    client.put_object(Bucket=there.bucket, Key=key, Body=b"theirs")
    client.close()
    with pytest.raises(Undeliverable) as told:
        there.inbox.put(bundle)
    assert told.value.code == "s3-taken"
    assert there.fetch(bundle) == [b"theirs"]


WORDS = {"kind": "s3", "title": "the practice's bucket", "bucket": "elm-photos"}


def problems_of(tmp_path: Path, **words: object) -> list[str]:
    """What is wrong with such an inbox."""
    path = tmp_path / "inboxes.toml"
    lines = [f"{word} = {json.dumps(value)}".replace('": ', '" = ') for word, value in {**WORDS, **words}.items()]
    path.write_text("\n".join(["[inboxes.elm]", *lines]))
    try:
        load_inboxes(path)
    except SettingsError as error:
        return error.problems
    return []


def test_the_words_of_the_file(tmp_path: Path) -> None:
    """Every word that docs/inboxes.md shows is taken, relative paths beside the file."""
    (tmp_path / "s3.secret").write_text("secret")
    (tmp_path / "ca.pem").write_text("certificate")
    words = {"endpoint": "https://s3.elm.example", "region": "eu-west-2", "access_key": "CAPTURE", "secret_file": "s3.secret"}
    words |= {"ca_file": "ca.pem", "prefix": "capture/{ods}/", "checksum": "md5", "encryption": "aws:kms", "kms_key": "alias/elm"}
    assert problems_of(tmp_path) == []
    assert problems_of(tmp_path, **words, connect_seconds=5, read_seconds=20, machine_role=False, tags={"keep": "30 days"}) == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"bucket": "Elm"}, "bucket must be the name of a bucket"),
        ({"endpoint": "https://s3.elm.example/path"}, "endpoint must be an address"),
        ({"endpoint": "s3.elm.example"}, "endpoint must be an address"),
        ({"endpoint": "https://KEY:secret@s3.elm.example"}, "endpoint must be an address"),
        ({"endpoint": "https://s3.elm.example?x=1"}, "endpoint must be an address"),
        ({"prefix": "/photos"}, "prefix must be"),
        ({"prefix": "{practice}/"}, "prefix must be"),
        ({"access_key": "CAPTURE"}, "access_key and secret_file go together"),
        ({"checksum": "crc"}, "checksum must be"),
        ({"encryption": "none"}, "encryption must be"),
        ({"kms_key": "alias/elm"}, "kms_key goes with"),
        ({"read_seconds": 0}, "read_seconds must be a whole number from 1 to 60"),
        ({"tags": {"keep": "a&b"}}, "tags must be a table of keys and values of tags"),
        ({"ca_file": "none.pem"}, "ca_file: "),
        ({"password": "secret"}, "'password' is not a word"),
    ],
)
def test_what_is_wrong_with_it(tmp_path: Path, words: dict[str, object], problem: str) -> None:
    """What cannot be meant is told by name."""
    (told,) = problems_of(tmp_path, **words)
    assert told.startswith(f"inbox elm: {problem}")


def test_two_ways_in_at_once(tmp_path: Path) -> None:
    """A key and the machine's own role: the file must say which."""
    (tmp_path / "s3.secret").write_text("secret")
    words = {"access_key": "CAPTURE", "secret_file": "s3.secret", "machine_role": True}
    assert problems_of(tmp_path, **words) == ["inbox elm: machine_role goes without access_key"]
