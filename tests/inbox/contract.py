"""What every inbox promises (`capture/inbox/base.py`). A test file of each kind makes a class of it, and a fixture `there`."""

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

import pytest

from capture.errors import BundleError, CaptureError, Undeliverable
from capture.inbox.base import BundleFiles, Inbox, Placed
from capture.sealing.bundle import open_bundle
from capture.services import Services
from tests.builders import APractice, ARequest, photos_of

Whole = Callable[[BundleFiles], bytes]


class There(Protocol):
    """An inbox, and a way to look at what lies there that shares no code with it."""

    inbox: Inbox

    def fetch(self, bundle: BundleFiles) -> list[bytes]:
        """Every ZIP of that bundle that whoever reads the inbox would take for a good one; also while it is away."""

    def away(self) -> AbstractContextManager[object]:
        """Nothing can be stored there until the end of the block."""


class Far(There, Protocol):
    """The same for an inbox in another system, which may store something and fail to say so."""

    def losing(self) -> AbstractContextManager[object]:
        """What is put in the block is stored, but the inbox is never told."""


class InboxContract:
    """The tests. `bundle` was sent by a patient, `whole` gives the ZIP that the API serves of a bundle."""

    def test_what_arrives_is_the_bundle(
        self, there: There, bundle: BundleFiles, whole: Whole, services: Services, practice: APractice, asked: ARequest
    ) -> None:
        """What lies there is the very ZIP that the API serves, and the practice's key opens it."""
        placed = there.inbox.put(bundle)
        assert len(placed.reference) <= 100
        (found,) = there.fetch(bundle)
        assert found == whole(bundle)
        with open_bundle(io.BytesIO(found), [practice.identity], services.signing_key.verifying_key) as opened:
            assert opened.request.label == asked.label
            assert len(opened.photos) == 2

    def test_each_bundle_for_itself(self, there: There, bundle: BundleFiles, other: BundleFiles, whole: Whole) -> None:
        """Two bundles lie there side by side."""
        for one in (bundle, other):
            there.inbox.put(one)
        assert [there.fetch(one) for one in (bundle, other)] == [[whole(bundle)], [whole(other)]]

    def test_again(self, there: There, bundle: BundleFiles, whole: Whole) -> None:
        """Putting a bundle again is a success, says the same and changes nothing."""
        assert there.inbox.put(bundle) == there.inbox.put(bundle)
        assert there.fetch(bundle) == [whole(bundle)]

    def test_two_at_once(self, there: There, bundle: BundleFiles, whole: Whole) -> None:
        """The table of faults: of two workers on one bundle comes one object."""
        together = threading.Barrier(2)

        def put(_number: int) -> Placed:
            together.wait(10)
            return there.inbox.put(bundle)

        with ThreadPoolExecutor(2) as workers:
            list(workers.map(put, range(2)))
        assert there.fetch(bundle) == [whole(bundle)]

    def test_stored_only_when_it_is(self, there: There, bundle: BundleFiles, whole: Whole) -> None:
        """While nothing can be stored there, `put` says so with a code and leaves nothing; afterwards it succeeds."""
        with there.away():
            with pytest.raises(CaptureError) as caught:
                there.inbox.put(bundle)
            assert caught.value.code != "error"
            assert there.fetch(bundle) == []
        there.inbox.put(bundle)
        assert there.fetch(bundle) == [whole(bundle)]

    @pytest.mark.parametrize("damage", ["missing", "altered", "shorter", "longer"])
    def test_a_damaged_part(
        self, there: There, bundle: BundleFiles, whole: Whole, services: Services, asked: ARequest, damage: str
    ) -> None:
        """The table of faults: a part that is not as it was sealed never arrives as a good one, and is named."""
        part = bundle.files[-1]
        blob = next(photo.blob for photo in photos_of(services, asked) if photo.sealed_sha256 == part.sha256)
        path = services.settings.var / "blobs" / blob
        sealed, good = path.read_bytes(), whole(bundle)
        damaged = {"altered": sealed[:-1] + bytes([sealed[-1] ^ 1]), "shorter": sealed[:-1], "longer": sealed + b"x"}
        path.unlink() if damage == "missing" else path.write_bytes(damaged[damage])
        with pytest.raises(BundleError) as caught:
            there.inbox.put(bundle)
        assert caught.value.code == ("part-missing" if damage == "missing" else "part-altered")
        assert part.name in caught.value.sentence
        assert there.fetch(bundle) == []
        path.write_bytes(sealed)
        there.inbox.put(bundle)
        assert there.fetch(bundle) == [good]


class FarInboxContract(InboxContract):
    """The same, and what holds where an answer can get lost."""

    def test_an_answer_that_is_lost(self, there: Far, bundle: BundleFiles, whole: Whole) -> None:
        """The table of faults: what was stored without the inbox hearing of it is not stored twice."""
        with there.losing():
            with pytest.raises(CaptureError):
                there.inbox.put(bundle)
            assert there.fetch(bundle) == [whole(bundle)]
        there.inbox.put(bundle)
        assert there.fetch(bundle) == [whole(bundle)]

    def test_more_than_a_zip_holds(self, there: Far, bundle: BundleFiles) -> None:
        """A bundle that no ZIP of this kind can hold is told as what does not pass by waiting, before any of it is read."""
        huge = replace(bundle, files=(*bundle.files, replace(bundle.files[-1], name="photos/03-large.jpg.age", size=1 << 31)))
        with pytest.raises(Undeliverable) as caught:
            there.inbox.put(huge)
        assert caught.value.code == "bundle-too-large"
        assert there.fetch(bundle) == []
