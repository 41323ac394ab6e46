"""An inbox in S3: one object a bundle, its ZIP, in a bucket of the practice's."""

import hashlib

from capture.bucket.client import TAKEN
from capture.bucket.objects import Bucket
from capture.bucket.words import read_bucket
from capture.errors import Unavailable, Undeliverable
from capture.inbox.base import BundleFiles, Placed
from capture.inbox.options import Options
from capture.sealing.archive import stream_archive

_PREFIX = r"(?!/)([\w!.*'()/-]|\{ods\}){1,200}"


class S3Inbox:
    """An Inbox. `{ods}` in `prefix` stands for the ODS code of the bundle's practice."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket, self._prefix = bucket, prefix

    def put(self, bundle: BundleFiles) -> Placed:
        """See Inbox. It goes by as it is read; what is found to be damaged then never becomes an object."""
        key = f"{self._prefix.replace('{ods}', bundle.practice)}{bundle.receipt}-{bundle.id}.zip"
        try:
            pieces, size = stream_archive(bundle.checked_entries), bundle.archive_size()
            self._bucket.put(key, pieces, size, _mark(bundle), is_new=bundle.is_first)
        except Unavailable as error:
            if error.code == TAKEN:  # waiting takes nothing away from there
                raise Undeliverable(code=TAKEN, hint=error.hint) from None
            raise
        return Placed()

    def check(self) -> str:
        """See Checks."""
        return self._bucket.check()


def make_inbox(options: Options) -> S3Inbox:
    """The inbox that these options describe."""
    prefix = options.text("prefix", "", form=_PREFIX, like="letters, digits, {ods} and -_.!*'()/, no / at the start")
    return S3Inbox(read_bucket(options, ""), prefix)


def _mark(bundle: BundleFiles) -> str:
    """What the ZIP is made of, as one hash: the same for the same ZIP, and known before it is made."""
    made_of = [f"{file.name} {file.size} {file.sha256}\n" for file in bundle.files]
    return hashlib.sha256(f"{bundle.created.isoformat()}\n{''.join(made_of)}".encode()).hexdigest()
