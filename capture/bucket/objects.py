"""Objects in a bucket, under a prefix: put once, compared with what was sent, read, listed, deleted."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from capture.bucket.client import AWAY, DAMAGED, FAILED, NO_BUCKET, REFUSED, TAKEN, Access, Client
from capture.errors import CaptureError, NotFound, Unavailable

WHOLE = 16 * 1024 * 1024
"""Bytes up to which an object is sent in one request; beyond it, in parts."""
PART, RANGE, PIECE = 7 * 1024 * 1024, 8 * 1024 * 1024, 262_144
"""Bytes of a part at most, of what one request reads, and of the pieces that are handed on."""
PAGE = 1_000
"""Names that one request lists."""
MARK = "capture-mark"


@dataclass(frozen=True)
class Found:
    """What lies under a name: its size in bytes, the mark it was put with ("" if it has none), and when it was written."""

    size: int
    mark: str
    at: datetime


class Bucket:
    """Names are what follows `prefix`. `checksum` is "sha256", or "md5" for servers that refuse it.

    The signature of a request covers the SHA-256 of its body, so that every server compares it. Newer ones keep it and tell it
    too, as a checksum that is sent beside; where the first answer tells none it is not sent again.
    """

    def __init__(
        self,
        access: Access,
        prefix: str = "",
        *,
        checksum: str = "sha256",
        encryption: str = "",
        kms_key: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._client, self._prefix = Client(access), prefix
        self._md5, self._tells = checksum == "md5", checksum != "md5"
        about = {"Tagging": urlencode(tags or {}, quote_via=quote), "ServerSideEncryption": encryption, "SSEKMSKeyId": kms_key}
        self._about = {name: value for name, value in about.items() if value}

    def check(self) -> str:
        """Ask for the bucket; CaptureError where it does not answer, is not there or not for this key."""
        try:
            self._client.ask("head_bucket")
        except NotFound:
            raise self._client.error(NO_BUCKET) from None
        return f"{self._client.access.where} answers"

    def keeps_versions(self) -> bool:
        """Whether what is deleted stays there as an old version. A key that may not ask counts as no."""
        try:
            return "Status" in self._client.ask("get_bucket_versioning")
        except Unavailable as error:
            if error.code in {REFUSED, FAILED}:
                return False
            raise

    def put(self, key: str, pieces: Iterable[bytes], size: int, mark: str, *, is_new: bool = False) -> None:
        """Keep `size` bytes under a name that has none yet, and return only when they are there as they were sent.

        `mark` stands for the contents. Where these bytes are there already all is well: an object that goes in one request is read
        back and compared, one in parts has its size and mark only once all its parts were as they were sent. Where something else
        is there, Unavailable has the code s3-taken. What the pieces raise ends it, and leaves nothing.

        `is_new`: nothing can lie there, so none asks before it sends parts; a server that knows no condition for them writes over.
        """
        if size <= WHOLE:
            return self._put_whole(key, next(_blocks(pieces, size + 1), []), size, mark)
        if is_new or not self._holds(key, size, mark):
            try:
                self._put_parts(key, pieces, size, mark)
            except Unavailable as error:
                if error.code != TAKEN:
                    raise
        if not self._holds(key, size, mark):
            raise self._client.error(AWAY)
        return None

    def find(self, key: str) -> Found | None:
        """What lies under that name, if anything does."""
        try:
            head = self._client.ask("head_object", Key=self._prefix + key)
        except NotFound:
            return None
        return Found(head["ContentLength"], head["Metadata"].get(MARK, ""), head["LastModified"].astimezone(UTC))

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        """The bytes from `start` on in pieces; NotFound at once if there are none, Unavailable when they cannot be read."""
        first = self._range(key, start)
        return self._pieces(key, start, *first)

    def delete(self, key: str) -> None:
        """Take away what lies under that name; nothing there is no error."""
        with suppress(NotFound):
            self._client.ask("delete_object", Key=self._prefix + key)

    def names(self, after: str = "") -> Iterator[tuple[str, datetime]]:
        """Every name behind `after`, in order, with when it was written by the server's clock."""
        last = self._prefix + after
        while True:
            page = self._client.ask("list_objects_v2", Prefix=self._prefix, StartAfter=last, MaxKeys=PAGE)
            for row in page.get("Contents", []):
                last = row["Key"]
                yield last.removeprefix(self._prefix), row["LastModified"].astimezone(UTC)
            if not page["IsTruncated"]:
                return

    def _holds(self, key: str, size: int, mark: str) -> bool:
        """Whether this very object lies there; Unavailable when another does."""
        found = self.find(key)
        if found and (found.size, found.mark) != (size, mark):
            raise self._client.error(TAKEN)
        return found is not None

    def _put_whole(self, key: str, data: list[memoryview], size: int, mark: str) -> None:
        if sum(map(len, data)) != size:
            raise self._client.error(DAMAGED)
        try:
            self._send("put_object", data, Key=self._prefix + key, IfNoneMatch="*", **self._words(mark))
        except _Other:
            self.delete(key)
            raise self._client.error(DAMAGED) from None
        except Unavailable as error:  # what lies there may be what a server damaged, and nobody could take away
            if error.code != TAKEN or b"".join(self.read(key)) != b"".join(data):
                raise

    def _put_parts(self, key: str, pieces: Iterable[bytes], size: int, mark: str) -> None:
        """In parts of bounded size, which become an object only when all of them are there."""
        kind = {"ChecksumAlgorithm": "SHA256"} if self._tells else {}
        begun = self._client.ask("create_multipart_upload", Key=self._prefix + key, **kind, **self._words(mark))
        upload = {"Key": self._prefix + key, "UploadId": begun["UploadId"]}
        try:
            with ThreadPoolExecutor(1) as sender:
                parts = self._send_parts(sender, upload, pieces, size)
            self._client.ask("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        except BaseException as error:
            with suppress(CaptureError):
                self._client.ask("abort_multipart_upload", **upload)
            if isinstance(error, _Other):
                raise self._client.error(DAMAGED) from None
            raise

    def _send_parts(self, sender: Executor, upload: Mapping[str, str], pieces: Iterable[bytes], size: int) -> list[dict[str, Any]]:
        sent: list[Future[dict[str, Any]]] = []
        each = -(-size // -(-size // PART))  # all alike: S3 takes no part below 5 MB but the last
        for data in _blocks(pieces, each):  # one is made while the one before is on its way
            if sent:
                sent[-1].result()
            sent.append(sender.submit(self._send, "upload_part", data, **upload, PartNumber=len(sent) + 1))
            size -= sum(map(len, data))
        said = [one.result() for one in sent]
        if size:
            raise _Other
        return [
            {"PartNumber": number} | {name: one[name] for name in ("ETag", "ChecksumSHA256") if name in one}
            for number, one in enumerate(said, 1)
        ]

    def _words(self, mark: str) -> dict[str, Any]:
        """What is said of an object beside its bytes."""
        return {"Metadata": {MARK: mark}, **self._about}

    def _send(self, operation: str, data: Sequence[memoryview], **words: Any) -> dict[str, Any]:
        """Send bytes, for the server to compare; _Other where what it says it has is something else."""
        sums = {}
        if self._md5:
            sums["ContentMD5"] = _digest(hashlib.md5(usedforsecurity=False), data)
        elif self._tells:
            sums["ChecksumSHA256"] = _digest(hashlib.sha256(), data)
        said = self._client.ask(operation, Body=_Body(data), **sums, **words)
        told = said.get("ChecksumSHA256")
        if told is None:
            self._tells = False
        elif told != sums.get("ChecksumSHA256", told):
            raise _Other
        return said

    def _pieces(self, key: str, start: int, data: bytes, total: int, etag: str) -> Iterator[bytes]:
        while True:
            for offset in range(0, len(data), PIECE):
                yield data[offset : offset + PIECE]
            start += len(data)
            if start >= total:
                return
            data, _, _ = self._range(key, start, IfMatch=etag)

    def _range(self, key: str, start: int, **when: str) -> tuple[bytes, int, str]:
        """The bytes from there on, at most RANGE of them; how many there are in all; and what tells that they are the same."""
        asked = f"bytes={start}-{start + RANGE - 1}"
        for last in (False, True):  # reading is tried twice: nothing comes of it but the bytes
            try:
                said = self._client.ask("get_object", Key=self._prefix + key, Range=asked, **when)
                with closing(said["Body"]) as body:
                    data = self._client.ours(body.read)
                return data, int(said["ContentRange"].rpartition("/")[2]), said["ETag"]
            except Unavailable as error:
                if last or error.code != AWAY:
                    raise
        raise AssertionError


def _blocks(pieces: Iterable[bytes], size: int) -> Iterator[list[memoryview]]:
    """The same bytes in blocks of that size, the last one shorter, each in pieces of PIECE bytes at most: none is copied."""
    block, room = list[memoryview](), size
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            block.append(rest[: min(room, PIECE)])
            rest = rest[len(block[-1]) :]
            room -= len(block[-1])
            if not room:
                yield block
                block, room = [], size
    if block:
        yield block


class _Body:
    """Pieces as a file, for botocore: a body that is read piece by piece has to go on, not to be over, within the time-out.

    Each read gives one piece whole, whatever is asked for: urllib3 asks for 16 KB, which is more work than what is in them.
    """

    def __init__(self, pieces: Sequence[memoryview]) -> None:
        self._pieces, self._next = pieces, 0

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def read(self, _: int = -1) -> memoryview:
        self._next += 1
        return self._pieces[self._next - 1] if self._next <= len(self._pieces) else memoryview(b"")

    def tell(self) -> int:
        return self._next

    def seek(self, to: int) -> None:
        self._next = to


def _digest(digest: "hashlib._Hash", data: Iterable[memoryview]) -> str:
    for piece in data:
        digest.update(piece)
    return base64.b64encode(digest.digest()).decode()


class _Other(Exception):
    """What the server has is not what was to be sent."""
