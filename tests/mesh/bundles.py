"""Bundles as they travel, without anything that made them."""

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from capture.inbox.base import BundleFile, BundleFiles


def a_file(name: str, data: bytes) -> BundleFile:
    return BundleFile(name, len(data), hashlib.sha256(data).hexdigest(), partial(_pieces, data))


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 65_536):
        yield data[start : start + 65_536]


def a_bundle(number: int = 1, size: int = 200_000, practice: str = "A81001") -> BundleFiles:
    """A manifest and a photo of that size."""
    photo = random.Random(number).randbytes(size)
    files = (a_file("bundle.json", b"{}"), a_file("photos/01-context.jpg.age", photo))
    return BundleFiles(f"{number:032x}", practice, f"{number:04d}", datetime(2026, 11, 29, 10, 0, tzinfo=UTC), files)
