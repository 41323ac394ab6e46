"""The loop: what waits is fetched, checked, opened, packed and finished in the folder, and only then acknowledged."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from capture.collecting.base import Source, Waiting
from capture.collecting.folder import Folder, Sealed, Stage
from capture.errors import BundleError, CaptureError, NotFound, PhotosDeleted, SourceAway
from capture.sealing.bundle import OpenedBundle, open_bundle
from capture.sealing.keys import Identity, VerifyingKey

AGAIN = 3600
"""Seconds until a bundle that was refused is looked at again."""
_GONE = (NotFound, PhotosDeleted)
_DAMAGED = {"bundle-zip", "bundle-altered", "bundle-missing", "bundle-signature"}


@dataclass(frozen=True)
class Outcome:
    """What became of one bundle: `collected` into these files, `acknowledged` (it was collected before), `gone`, `refused`, or
    `away`: it does not come just now."""

    bundle: Waiting
    state: str
    files: tuple[str, ...] = ()
    error: CaptureError | None = None


@dataclass
class Collector:
    """Collects the bundles of one practice from a source into a folder.

    `pack` writes the files of an opened bundle; they take at most `room` times the bytes of its ZIP. `progress` hears, as a ZIP
    comes, of the bundle, the bytes here and the bytes in all.
    """

    source: Source
    folder: Folder
    practice: str
    identities: Sequence[Identity]
    signer: VerifyingKey
    pack: Callable[[OpenedBundle, Stage], None]
    room: float = 1.0
    progress: Callable[[Waiting, int, int], None] = lambda _bundle, _here, _size: None
    _refused: dict[Waiting, float] = field(default_factory=dict)
    _away: set[Waiting] = field(default_factory=set)

    def collect(self) -> Iterator[Outcome]:
        """Every bundle that waits, one after the other. Whoever stops in between loses nothing.

        Raises SourceAway once a bundle did not come and the others did, or at the second in a row; another CaptureError or OSError
        where the rest cannot go on either.
        """
        for bundle in filter(self._is_due, self.folder.ready()):
            yield self._finish(bundle)  # and if it waits still, it is acknowledged below
        unfinished = {bundle.id for bundle in self.folder.ready()}
        waiting = self.source.waiting(self.folder)
        self.folder.drop_all_but(waiting)
        away, before = None, False
        for bundle in sorted(filter(self._is_due, waiting), key=self._away.__contains__):  # else two of those hold up all others
            if bundle.id in self.folder:
                yield self._acknowledge(Outcome(bundle, "acknowledged"))
            elif bundle.id not in unfinished:
                try:
                    outcome, before = self._collect(bundle), False
                except SourceAway as error:
                    self._away.add(bundle)
                    if before:
                        raise
                    away, before, outcome = error, True, Outcome(bundle, "away", error=error)
                yield self._acknowledge(outcome) if outcome.state == "collected" else outcome
        if away:
            raise away

    def _is_due(self, bundle: Waiting) -> bool:
        return self._refused.get(bundle, 0) <= time.monotonic()

    def _collect(self, bundle: Waiting) -> Outcome:
        try:
            self._fetch(bundle)
        except _GONE:
            return Outcome(bundle, "gone")
        except BundleError as error:
            return self._refuse(bundle, error)
        return self._finish(bundle)

    def _finish(self, bundle: Waiting) -> Outcome:
        """Let its files appear."""
        try:
            files = self.folder.finish(bundle)
        except BundleError as error:
            return self._refuse(bundle, error)
        return Outcome(bundle, "collected", files)

    def _acknowledge(self, outcome: Outcome) -> Outcome:
        with suppress(*_GONE):  # deleted since: there is nobody left to tell
            self.source.acknowledge(outcome.bundle)
        return outcome

    def _refuse(self, bundle: Waiting, error: CaptureError) -> Outcome:
        self._refused[bundle] = time.monotonic() + AGAIN
        return Outcome(bundle, "refused", error=error)

    def _fetch(self, bundle: Waiting) -> None:
        """Make its files ready. BundleError where it is refused."""

        def progress(here: int, size: int) -> None:
            self.progress(bundle, here, size)

        with self.folder.sealed(bundle, self.room, progress) as sealed:
            self.source.fetch(bundle, sealed)
            try:
                try:
                    self._open(bundle, sealed)
                except BundleError as error:
                    if not (sealed.resumed and error.code in _DAMAGED):
                        raise
                    sealed.empty()  # what was here before the power went may not be what was sent
                    self.source.fetch(bundle, sealed)
                    self._open(bundle, sealed)
            except BundleError:
                sealed.empty()  # another try begins anew
                raise

    def _open(self, bundle: Waiting, sealed: Sealed) -> None:
        with open_bundle(sealed.path, self.identities, self.signer) as opened:
            manifest = opened.manifest
            if manifest.practice.ods != self.practice:
                sentence = f"This bundle is for the practice {manifest.practice.ods}, not for {self.practice}."
                raise BundleError(sentence, code="bundle-mismatch")
            if (manifest.bundle, manifest.receipt) != (bundle.id, bundle.receipt):
                raise BundleError("Another bundle came than the one that waits.", code="bundle-mismatch")
            with self.folder.staged(bundle) as stage:
                try:
                    self.pack(opened, stage)
                except CaptureError as error:  # what cannot be packed is left where it waits, like what cannot be opened
                    raise BundleError(error.sentence, code=error.code, hint=error.hint) from None
