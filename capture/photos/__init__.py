"""Untrusted bytes in, a clean picture out.

`Cleaner().clean(untrusted_bytes)` gives a `CleanPhoto` or raises `PhotoRefused`, whose `code` is one of `REFUSALS`.
Nothing here imports Flask or SQL, and importing this package does not import a picture decoder: the decoders live in
the child process (`sandbox`), except for unit tests, which call `capture.photos.clean.clean` directly.
"""

from capture.photos.refusals import REFUSALS
from capture.photos.report import CleanPhoto, Preset, Removed, Report
from capture.photos.sandbox import Cleaner

__all__ = ["REFUSALS", "CleanPhoto", "Cleaner", "Preset", "Removed", "Report"]
