"""The staff pages as an inbox: the bundle is there when every sealed part can be read whole."""

import hashlib

from capture.errors import BundleError
from capture.inbox.base import BundleFiles


class WebInbox:
    """An Inbox whose bundles stay where they were sealed; `put` reads each part back and compares its hash."""

    def put(self, bundle: BundleFiles) -> None:
        """See Inbox; BundleError names a part that is not as it was sealed."""
        for file in bundle.files:
            digest, size = hashlib.sha256(), 0
            for piece in file.read():
                digest.update(piece)
                size += len(piece)
            if (size, digest.hexdigest()) != (file.size, file.sha256):
                raise BundleError(f"{file.name} is not as it was sealed.", code="part-altered")
