"""Objects in a bucket of a real S3 server: put once, whole or not at all, whatever the network does."""

import hashlib
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from capture.bucket import objects
from capture.bucket.client import Access
from capture.bucket.objects import Bucket
from capture.errors import NotFound, Unavailable
from tests.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.s3_server import KMS_KEY, S3Server

LARGE = os.urandom(objects.WHOLE + 1_000)


@pytest.fixture(scope="module")
def access(s3: S3Server) -> Access:
    return Access(s3.make_bucket(), s3.url, access_key=s3.access_key, secret_file=Path(s3.secret_file))


@pytest.fixture
def key() -> str:
    return secrets.token_hex(8)


@pytest.fixture(scope="module")
def bucket(access: Access) -> Bucket:
    return Bucket(access, "sealed/")


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(s3.port) as running:
        yield running


@pytest.fixture
def behind(access: Access, proxy: FaultProxy) -> Bucket:
    """The bucket through the proxy, with little patience."""
    return Bucket(replace(access, endpoint=f"http://127.0.0.1:{proxy.port}", connect_seconds=1, read_seconds=3), "sealed/")


def put(bucket: Bucket, key: str, data: bytes, *, is_new: bool = False) -> None:
    pieces = (data[start : start + 100_000] for start in range(0, len(data), 100_000))
    bucket.put(key, pieces, len(data), hashlib.sha256(data).hexdigest(), is_new=is_new)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Unavailable) as caught:
        act()
    assert caught.value.hint
    return caught.value.code


def uploads(s3: S3Server, access: Access) -> int:
    """Uploads in parts that were begun and not ended."""
    client = s3.client()
    try:
        return len(client.list_multipart_uploads(Bucket=access.name).get("Uploads", []))
    finally:
        client.close()


@pytest.mark.parametrize("data", [b"sealed", LARGE], ids=["small", "large"])
def test_put_once(bucket: Bucket, key: str, data: bytes) -> None:
    """What was put is read back in pieces of bounded size; the same again is a success, another thing under the name is not."""
    before = datetime.now(UTC) - timedelta(seconds=5)
    put(bucket, key, data)
    pieces = list(bucket.read(key))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= objects.PIECE
    found = bucket.find(key)
    assert found
    assert (found.size, found.mark) == (len(data), hashlib.sha256(data).hexdigest())
    assert before < found.at < before + timedelta(minutes=5)
    put(bucket, key, data)
    other = data[:-1] + b"x"
    assert code_of(lambda: put(bucket, key, other)) == "s3-taken"
    assert b"".join(bucket.read(key)) == data


@pytest.mark.parametrize("data", [b"sealed", LARGE], ids=["small", "large"])
def test_put_as_new(bucket: Bucket, key: str, data: bytes) -> None:
    """What is said to be new is there whole, also where it was not so new."""
    for _ in range(2):
        put(bucket, key, data, is_new=True)
        assert b"".join(bucket.read(key)) == data


@pytest.mark.parametrize("size", [10, len(LARGE)])
def test_what_breaks_off_leaves_nothing(s3: S3Server, access: Access, bucket: Bucket, key: str, size: int) -> None:
    """Where the bytes end too early, or reading them fails, there is no object and no upload that was begun."""

    def failing() -> Iterator[bytes]:
        yield bytes(size - 1)
        raise NotFound

    with pytest.raises(NotFound):
        bucket.put(key, failing(), size, "mark")
    assert code_of(lambda: bucket.put(key, [bytes(size - 1)], size, "mark")) == "s3-damaged"
    assert bucket.find(key) is None
    assert uploads(s3, access) == 0


@pytest.mark.parametrize("data", [b"sealed", LARGE], ids=["small", "large"])
def test_two_at_once(bucket: Bucket, key: str, data: bytes) -> None:
    """Two workers with the same object both succeed, and it lies there once."""
    with ThreadPoolExecutor(2) as workers:
        list(workers.map(lambda _: put(bucket, key, data), range(2)))
    assert b"".join(bucket.read(key)) == data
    assert [name for name, _ in bucket.names() if name == key] == [key]


@pytest.mark.parametrize("fault", ["500", "reset", "stall", "lost", Fault("reset", 5_000_000), Fault("lost", 5_000_000)], ids=str)
def test_large_ones_and_faults(
    s3: S3Server, access: Access, behind: Bucket, proxy: FaultProxy, key: str, fault: str | Fault
) -> None:
    """Each is told as s3-away, nothing half-written stays, and the next try brings the object."""
    put(behind, secrets.token_hex(8), b"a connection that is kept")
    proxy.fail(fault)
    assert code_of(lambda: put(behind, key, LARGE)) == "s3-away"
    assert not proxy.left
    assert uploads(s3, access) == 0
    put(behind, key, LARGE)
    assert b"".join(behind.read(key)) == LARGE


@pytest.mark.parametrize("data", [os.urandom(300_000), LARGE], ids=["small", "large"])
def test_what_is_altered_on_its_way(behind: Bucket, proxy: FaultProxy, key: str, data: bytes) -> None:
    """A bit that is turned on the way is noticed by the server, so that what it has is what was sent, or nothing."""
    put(behind, secrets.token_hex(8), b"a connection that is kept")
    proxy.fail(Fault("altered", 100_000))
    assert code_of(lambda: put(behind, key, data)) == "s3-damaged"
    assert behind.find(key) is None
    put(behind, key, data)
    assert b"".join(behind.read(key)) == data


def test_nobody_there(behind: Bucket, proxy: FaultProxy, key: str) -> None:
    """Where nobody listens, every verb says so, each with a hint."""
    with proxy.refusing():
        for act in (lambda: put(behind, key, b"x"), lambda: behind.read(key), lambda: behind.delete(key), behind.check):
            assert code_of(act) == "s3-away"
        assert code_of(lambda: list(behind.names())) == "s3-away"


def test_a_torn_answer_is_asked_for_again(behind: Bucket, proxy: FaultProxy, key: str) -> None:
    """Reading goes on where the network tore it, once; the second time in a row it is told."""
    put(behind, key, LARGE)
    proxy.fail(Fault("torn", 1_000_000))
    assert b"".join(behind.read(key)) == LARGE
    proxy.fail(Fault("torn", 1_000_000), Fault("torn", 1_000_000))
    assert code_of(lambda: behind.read(key)) == "s3-away"


def test_names_and_deleting(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come in order, page by page, from any on, those under the prefix only; what is deleted is gone, also twice."""
    monkeypatch.setattr(objects, "PAGE", 2)
    bucket = Bucket(access, f"{secrets.token_hex(4)}/")
    put(Bucket(access), "elsewhere", b"x")
    made = sorted(secrets.token_hex(4) for _ in range(5))
    for name in made:
        put(bucket, name, b"x")
    assert [name for name, _ in bucket.names()] == made
    assert [name for name, _ in bucket.names(made[1])] == made[2:]
    for _ in range(2):
        bucket.delete(made[0])
    assert [name for name, _ in bucket.names()] == made[1:]
    with pytest.raises(NotFound):
        bucket.read(made[0])


def test_keys_that_are_refused(access: Access, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong secret is told, and the right one is taken once it is in the file; no log holds either."""
    caplog.set_level(logging.DEBUG)
    assert access.secret_file
    secret, file = access.secret_file.read_text(), tmp_path / "secret"
    file.write_text("wrongwrongwrong")
    bucket = Bucket(replace(access, secret_file=file))
    assert code_of(lambda: put(bucket, key, b"x")) == "s3-refused"
    file.write_text(f"{secret}\n")
    put(bucket, key, b"x")
    file.unlink()
    assert code_of(lambda: Bucket(replace(access, secret_file=file)).check()) == "s3-no-key"
    assert code_of(lambda: Bucket(replace(access, access_key="nobody")).check()) == "s3-refused"
    assert not {secret, "wrongwrongwrong", access.access_key} & set(caplog.text.split())
    assert secret not in caplog.text
    assert "Authorization" not in caplog.text


def test_no_bucket(access: Access, key: str) -> None:
    """A bucket that is not there is told as such, by whatever is asked of it."""
    bucket = Bucket(replace(access, name="nobodys-bucket"))
    for act in (bucket.check, lambda: put(bucket, key, b"x"), lambda: bucket.read(key), lambda: list(bucket.names())):
        assert code_of(act) == "s3-no-bucket"


def test_check(s3: S3Server, access: Access, bucket: Bucket) -> None:
    """The bucket answers; whether it keeps what is deleted is known."""
    assert bucket.check() == f"bucket {access.name} at {s3.url} answers"
    assert not bucket.keeps_versions()
    client = s3.client()
    name = s3.make_bucket()
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    client.close()
    assert Bucket(replace(access, name=name)).keeps_versions()


@pytest.mark.parametrize("checksum", ["sha256", "md5"])
def test_over_tls(s3: S3Server, access: Access, key: str, checksum: str) -> None:
    """With its authority named the server is believed, without it is not; what the object is kept under goes along."""
    access = replace(access, endpoint=f"https://localhost:{s3.tls_port}", ca_file=Path(s3.ca_file))
    bucket = Bucket(access, checksum=checksum, encryption="aws:kms", kms_key=KMS_KEY, tags={"keep": "30 days", "of": "A+B"})
    for name, data in ((key, b"sealed"), (f"{key}-large", LARGE)):
        put(bucket, name, data)
        assert b"".join(bucket.read(name)) == data
        client = s3.client()
        assert client.head_object(Bucket=access.name, Key=name)["SSEKMSKeyId"] == KMS_KEY
        tags = client.get_object_tagging(Bucket=access.name, Key=key)["TagSet"]  # Ceph 16 leaves them off what came in parts
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"keep": "30 days", "of": "A+B"}
        client.close()
    assert code_of(lambda: Bucket(replace(access, ca_file=None)).check()) == "s3-away"


class Answering(BaseHTTPRequestHandler):
    """Answers with what its server says, and notes who asked for what."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
        status, headers = self.server.says  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_HEAD = do_PUT = do_DELETE = answer  # noqa: N815 - the names that http.server wants

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[Callable[[int, dict[str, str]], tuple[str, list[str]]]]:
    """Servers that answer everything with a status and headers: their address, and what they were asked."""
    servers = []

    def start(status: int, headers: dict[str, str]) -> tuple[str, list[str]]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        server.daemon_threads, server.asked, server.says = True, [], (status, headers)  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


Start = Callable[[int, dict[str, str]], tuple[str, list[str]]]


@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirects_are_not_followed(access: Access, answering: Start, key: str, status: int) -> None:
    """SECURITY 43: neither to another address nor to another region; each request goes out once."""
    elsewhere, heard = answering(200, {"ETag": "x"})
    here, asked = answering(status, {"Location": f"{elsewhere}/x", "x-amz-bucket-region": "eu-north-1"})
    bucket = Bucket(replace(access, endpoint=here))
    for count, act in enumerate((lambda: put(bucket, key, b"x"), lambda: bucket.read(key), bucket.check), 1):
        assert code_of(act) == "s3-elsewhere"
        assert len(asked) == count
    assert heard == []


def test_a_server_that_has_something_else(access: Access, answering: Start, key: str) -> None:
    """An object that is not what was sent, by what the server says, is taken away and never called stored."""
    url, asked = answering(200, {"ETag": '"0"', "x-amz-checksum-sha256": "A" * 43 + "="})
    assert code_of(lambda: put(Bucket(replace(access, endpoint=url)), key, b"x")) == "s3-damaged"
    assert [line.partition(" ")[0] for line in asked] == ["PUT", "DELETE"]


def test_a_damaged_object_that_stayed(s3: S3Server, access: Access, bucket: Bucket, key: str) -> None:
    """An object of the right size and mark but with other bytes, which a server damaged, is not called stored by the next try."""
    client = s3.client()
    try:
        mark = {objects.MARK: hashlib.sha256(b"sealed").hexdigest()}
        client.put_object(Bucket=access.name, Key=f"sealed/{key}", Body=b"xealed", Metadata=mark)
    finally:
        client.close()
    assert code_of(lambda: put(bucket, key, b"sealed")) == "s3-taken"


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254", "https://100.100.100.200", "http://192.0.2.1", "https://[fd00:ec2::254]"]
)
def test_addresses_that_are_refused(access: Access, key: str, address: str) -> None:
    """SECURITY 43: no request goes to a machine's metadata, nor without TLS to another machine."""
    with pytest.raises(Unavailable) as caught:
        put(Bucket(replace(access, endpoint=address)), key, b"x")
    assert "is refused" in (caught.value.hint or "")


def test_the_machine_is_not_asked_for_keys(
    access: Access, answering: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SECURITY 43: of the usual chain the metadata service is left out, unless the operator says so."""
    url, asked = answering(404, {})
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/container")
    open_one = replace(access, access_key="", secret_file=None)
    assert code_of(Bucket(open_one).check) == "s3-no-key"
    assert asked == []
    assert code_of(Bucket(replace(open_one, machine_role=True)).check) == "s3-no-key"
    assert asked
    assert access.secret_file
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", access.secret_file.read_text())
    assert Bucket(open_one).check()
