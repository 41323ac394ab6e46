"""A bucket as the words of a file of settings describe it: the same words for an inbox and for the store of sealed parts."""

from pathlib import Path
from typing import Protocol

from capture.bucket.client import Access
from capture.bucket.objects import Bucket

_NAME = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_TAG = r"[\w .:/=+@-]"


class Words(Protocol):
    """What reads such words and notes what is wrong with them (capture/inbox/options.py)."""

    def text(self, word: str, default: str | None = None, *, form: str = ".+", like: str = "a text") -> str:
        """A text of that form."""

    def number(self, word: str, default: int, *, low: int, high: int) -> int:
        """A whole number within limits."""

    def flag(self, word: str, *, default: bool) -> bool:
        """True or false."""

    def table(self, word: str, *, key: str, form: str, like: str) -> dict[str, str]:
        """A table of texts."""

    def file(self, word: str, *, needed: bool = False) -> Path | None:
        """A file that can be read and is not empty."""

    def problem(self, what: str) -> None:
        """Note what is not right."""


def read_bucket(words: Words, prefix: str) -> Bucket:
    """The bucket that the words describe; it is not asked for yet."""
    access = Access(
        name=words.text("bucket", form=_NAME, like="the name of a bucket"),
        endpoint=words.text(
            "endpoint", "", form=r"https?://[^/@?#\s]+", like="an address such as https://s3.example.nhs.uk, with nothing after it"
        ),
        region=words.text("region", "eu-west-2", form=r"[a-z0-9-]{1,40}", like="the name of a region"),
        access_key=words.text("access_key", "", form=r"[\w/+=.-]{1,128}", like="the id of an access key"),
        secret_file=words.file("secret_file"),
        machine_role=words.flag("machine_role", default=False),
        ca_file=words.file("ca_file"),
        connect_seconds=words.number("connect_seconds", 3, low=1, high=60),
        read_seconds=words.number("read_seconds", 10, low=1, high=60),
    )
    if bool(access.access_key) != bool(access.secret_file):
        words.problem("access_key and secret_file go together: set both or neither")
    if access.machine_role and access.access_key:
        words.problem("machine_role goes without access_key")
    encryption = words.text("encryption", "", form="AES256|aws:kms", like='"AES256" or "aws:kms"')
    kms_key = words.text("kms_key", "")
    if kms_key and encryption != "aws:kms":
        words.problem('kms_key goes with encryption = "aws:kms"')
    return Bucket(
        access,
        prefix,
        checksum=words.text("checksum", "sha256", form="sha256|md5", like='"sha256" or "md5"'),
        encryption=encryption,
        kms_key=kms_key,
        tags=words.table("tags", key=_TAG + "{1,128}", form=_TAG + "{0,256}", like="keys and values of tags"),
    )
