"""Sealed parts in a bucket of S3, as durable as the server makes them before it answers. Ciphertext only."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from capture.bucket.objects import Bucket
from capture.errors import NotFound
from capture.store.blobs import check_name, is_name


class S3Blobs:
    """A BlobStore in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, name: str, data: bytes) -> None:
        """See BlobStore."""
        check_name(name)
        self._bucket.put(name, [data], len(data), hashlib.sha256(data).hexdigest())

    def read(self, name: str) -> Iterator[bytes]:
        """See BlobStore."""
        check_name(name)
        try:
            return self._bucket.read(name)
        except NotFound:
            raise NotFound("A sealed photo is missing from the store.") from None

    def delete(self, name: str) -> None:
        """See BlobStore."""
        check_name(name)
        self._bucket.delete(name)

    def names(self, after: str = "") -> Iterator[tuple[str, datetime]]:
        """See BlobStore. A write that was cut off leaves no name behind."""
        return ((name, written) for name, written in self._bucket.names(after) if is_name(name))

    def check(self) -> str:
        """Ask for the bucket; CaptureError where it does not answer."""
        return self._bucket.check()

    def keeps_versions(self) -> bool:
        """Whether what is deleted stays there as an old version."""
        return self._bucket.keeps_versions()


def words_of(address: str) -> tuple[str, dict[str, Any]]:
    """What `s3://bucket/prefix?word=value&…` says: the prefix of all names, and the words of the bucket (bucket/words.py)."""
    parts = urlsplit(address)
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    words: dict[str, Any] = {
        word: int(value)
        if word.endswith("_seconds") and value.isdecimal()
        else value == "true"
        if word == "machine_role"
        else value
        for word, value in said.items()
    }
    prefix = parts.path.strip("/")
    return f"{prefix}/" if prefix else "", {**words, "bucket": parts.netloc}
