"""`capture scrub`: every part read now, what is not whole named."""

from collections.abc import Callable

from capture.services import Services
from tests.builders import make_practice, make_request, make_submitted, photos_of
from tests.cli.conftest import Command


def test_scrub(capture: Command, open_services: Callable[[], Services]) -> None:
    """It counts what is whole, names what is not, for people and for programs, and ends with 1 until it is mended."""
    services = open_services()
    asked = make_request(services, make_practice(services))
    make_submitted(services, asked)
    (photo,) = photos_of(services, asked)
    assert capture.json("scrub") == {"parts": 1, "bytes": photo.sealed_size, "damaged": {}, "orphans": 0}
    path = capture.var / "blobs" / photo.blob
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert capture.json("scrub", code=1)["damaged"] == {photo.blob: "part-altered"}
    assert f"PROBLEM  {photo.blob}: part-altered" in capture("scrub", code=1).stdout
    assert "PROBLEM  stored parts: damaged" in capture("check", code=4).stdout
    path.write_bytes(whole)
    assert "1 parts were read, 0 are damaged or missing." in capture("scrub").stdout
