"""Encrypted bundles as files: one, several, all that wait; resumed, in flat memory, and never another practice's."""

import io
import tracemalloc
import zipfile

import pytest

from capture.actions.collect import collect
from capture.sealing.bundle import open_bundle
from capture.services import Services
from capture.store.models import Bundle, Request
from tests.builders import APractice, ARequest, bundle_of, make_practice, make_request, make_submitted, photos_of
from tests.web.html import ORIGIN, Visitor


def names(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


@pytest.fixture
def path(services: Services, asked: ARequest) -> str:
    make_submitted(services, asked)
    return f"/staff/bundles/{bundle_of(services, asked).id}.zip"


def test_a_download_is_resumed(desk: Visitor, path: str) -> None:
    """The length is told before; whatever part is asked for is that part, and parts put together are the file."""
    whole = desk.get(path)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert int(whole.headers["Content-Length"]) == len(whole.data)
    etag = whole.headers["ETag"]
    for start in (0, 1, 29, 500, 70_000, len(whole.data) - 1):
        rest = desk.get(path, headers={"Range": f"bytes={start}-", "If-Range": etag})
        assert rest.status == 206
        assert rest.headers["Content-Range"] == f"bytes {start}-{len(whole.data) - 1}/{len(whole.data)}"
        assert whole.data[:start] + rest.data == whole.data
    middle = desk.get(path, headers={"Range": "bytes=100-199"})
    assert (middle.status, middle.data) == (206, whole.data[100:200])


def test_a_part_that_there_is_not(desk: Visitor, path: str) -> None:
    """Past the end is 416; a part of what has changed since is answered with all of what is there now."""
    assert desk.get(path, headers={"Range": "bytes=99999999-"}).status == 416
    other = desk.get(path, headers={"Range": "bytes=10-", "If-Range": '"another"'})
    assert other.status == 200
    assert names(other.data)[0] == "bundle.json"


def test_all_that_wait(services: Services, desk: Visitor, practice: APractice) -> None:
    """All unread bundles come in one archive, each a bundle that opens; what was opened already is left out, unless it is named."""
    asked = [make_request(services, practice) for _ in range(3)]
    for each in asked:
        make_submitted(services, each)
    collect(services, practice.id, bundle_of(services, asked[0]).id, actor="x")
    inbox = desk.get("/staff/").tree
    assert "/staff/bundles.zip" in {link.get("href") for link in inbox.iter("a")}
    boxes = {box.get("value") for box in inbox.iter("input") if box.get("form") == "download" and box.get("name") == "bundle"}
    assert boxes == {bundle_of(services, each).id for each in asked[1:]}
    assert [form.get("action") for form in inbox.iter("form") if form.get("id") == "download"] == ["/staff/bundles.zip"]
    page = desk.get("/staff/bundles.zip")
    assert set(names(page.data)) == {f"capture-{each.receipt}.zip" for each in asked[1:]}
    assert int(page.headers["Content-Length"]) == len(page.data)
    with zipfile.ZipFile(io.BytesIO(page.data)) as archive:
        inner = archive.read(f"capture-{asked[1].receipt}.zip")
    signer = services.signing_key.verifying_key
    with open_bundle(io.BytesIO(inner), [practice.identity], signer) as opened:
        assert opened.request.receipt == asked[1].receipt
        assert opened.read(opened.photos[0]).startswith(b"\xff\xd8\xff")
    first, second = (bundle_of(services, each).id for each in asked[:2])
    some = desk.get(f"/staff/bundles.zip?bundle={first}&bundle={second}&bundle={first}")
    assert sorted(names(some.data)) == sorted(f"capture-{each.receipt}.zip" for each in asked[:2])
    assert "Encrypted photos downloaded by" in desk.get(f"/staff/requests/{asked[1].id}").text


def test_nothing_ticked(desk: Visitor, path: str) -> None:
    """Pressing "Download chosen" with nothing ticked leads back to the inbox, which says above the button what to do."""
    assert path
    unticked = desk.get("/staff/bundles.zip?chosen=yes")
    assert unticked.location.endswith("#download")
    inbox = desk.get(unticked.location)
    assert inbox.heading == "Inbox"
    assert inbox.text.index("Tick the photos that you want") < inbox.text.index("Download chosen")
    assert "Tick the photos" not in desk.get("/staff/").text


def test_nothing_to_download(services: Services, desk: Visitor, path: str) -> None:
    """No waiting bundle, too many, an id that is none, and another practice's are each refused; nothing of ours comes with them."""
    ours = path.rpartition("/")[2].removesuffix(".zip")
    theirs = make_request(services, make_practice(services, name="Oak Surgery"))
    make_submitted(services, theirs)
    assert desk.get(f"/staff/bundles.zip?bundle={ours}&bundle={bundle_of(services, theirs).id}").status == 404
    assert desk.get("/staff/bundles.zip?bundle=..%2f..%2fetc").status == 404
    many = "&".join(f"bundle={number:032x}" for number in range(101))
    assert "too many at once" in desk.get(f"/staff/bundles.zip?{many}").text
    collect(services, desk_practice(services, ours), ours, actor="x")
    empty = desk.get("/staff/bundles.zip")
    assert empty.status == 409
    assert "no photos that nobody has opened" in empty.text


def test_too_large_for_one_download(desk: Visitor, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one archive can hold is refused with what to do; each bundle alone still comes."""
    monkeypatch.setattr("capture.web.downloads.MOST", 1000)
    page = desk.get("/staff/bundles.zip")
    assert (page.status, "Choose fewer" in page.text) == (409, True)
    assert desk.get(path).status == 200


def desk_practice(services: Services, bundle_id: str) -> str:
    """The practice that a bundle belongs to."""
    with services.database.read() as db:
        return db.get_one(Request, db.get_one(Bundle, bundle_id).request_id).practice_id


def test_memory_stays_flat(services: Services, desk: Visitor, path: str, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download of tens of megabytes takes less than two of memory, from the first byte and from the middle."""
    size, piece = 40_000_000, bytes(64_000)
    (photo,) = photos_of(services, asked)
    monkeypatch.setattr("capture.web.downloads.check_whole", lambda _files: None)
    real = services.blobs.read

    def read(name: str) -> object:
        return iter([piece] * (size // len(piece))) if name == photo.blob else real(name)

    monkeypatch.setattr(services.blobs, "read", read)
    for headers in ({}, {"Range": "bytes=20000000-"}):
        tracemalloc.start()
        answer = desk.client.get(path, base_url=ORIGIN, headers=headers, buffered=False)
        sent = sum(len(part) for part in answer.iter_encoded())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        answer.close()
        assert sent > 19_000_000 or headers
        assert peak < 2_000_000
