"""What a journey leaves on the disk: nothing that opens a link, nothing of a patient in clear, no picture."""

import base64
import re
from datetime import date
from pathlib import Path

import pytest

from capture.photos.sample import sample_photo
from tests.system.server import Patient, environment, run, running, wait_until

BORN = date(1957, 8, 23)
LABEL, REFERENCE, NOTE = "Quillon Xystus", "AG-77-1234", "It itches by the canal at night ✨"
JPEG = re.compile(rb"\xff\xd8\xff(?:[\xe0-\xef]..(?:JFIF|Exif|ICC_|Adobe|http)|\xdb\x00[\x43\x84]|\xfe\x00)", re.DOTALL)
"""The beginning of any JPEG that an encoder writes; three bytes alone come up in ciphertext by chance."""


def spellings(born: date) -> list[str]:
    """The ways in which people and programs write a date."""
    numbers = [f"{born:%Y%m%d}", f"{born:%d%m%Y}", f"{born:%y%m%d}-", f"{born:%d %B %Y}", f"{born:%-d %B %Y}", f"{born:%-d %b %Y}"]
    joined = [sign.join(parts) for sign in "-/. " for parts in (f"{born:%Y %m %d}".split(), f"{born:%d %m %Y}".split())]
    joined += [sign.join(f"{born:%-d %-m %Y}".split()) for sign in "-/. ,"]
    return [*numbers, *joined]


def encodings(text: str) -> list[bytes]:
    """The ways in which a text may lie in a file."""
    data = text.encode()
    return [data, text.encode("utf-16-le"), data.hex().encode(), base64.b64encode(data).rstrip(b"=")[:-1]]


def found_in(folder: Path, secrets: dict[str, list[str]]) -> set[tuple[str, str]]:
    """(what, file) of everything in the raw bytes of the files that must not be there."""
    found = set()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if JPEG.search(data):
            found.add(("picture", path.name))
        for what, texts in secrets.items():
            if any(needle in data for text in texts for needle in encodings(text)):
                found.add((what, path.name))
    return found


class Journey:
    """A patient's whole journey through the real server, and what must not be found afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "service"
        self.folder.mkdir()
        with running(self.folder / "var", env=environment(self.folder / "var", measured=True)) as server:
            asked = {"protocol": "lesion", "site": "hand", "side": "left", "dob": BORN.isoformat(), "practice": "A81001"}
            asked |= {"label": LABEL, "reference": REFERENCE}
            options = [word for name, value in asked.items() for word in (f"--{name}", value)]
            origin = server.tour["address"]
            link = run(server.var, "request", "create", *options, CAPTURE_ORIGIN=origin)["link"]
            patient = Patient(server.port, link, born=BORN)
            assert patient.submit(patient.path, day="1", month="2", year="1957").status == 422
            patient.come_in()
            for view in ("context", "close-up", "close-up-scale"):
                assert patient.photo(view, sample_photo(view)).status == 201
            assert patient.photo("close-up", sample_photo("close-up", skin="dark")).status == 201  # taken again
            assert patient.photo("close-up", b"GIF89a").status == 422
            patient.get("/r/unknown")
            patient.send(NOTE)
            wait_until(lambda: "request delivered" in _text(server.var))
            self.secrets = {
                "token": [link.rpartition("/")[2]],
                "date of birth": spellings(BORN),
                "label": [LABEL, "Xystus"],
                "reference": [REFERENCE],
                "note": [NOTE, "canal"],
                "cookie": [value.strip('"') for value in patient.cookies.values()],
                "password": [server.tour["password"], server.tour["authenticator_secret"], server.tour["passphrase"]],
            }
            self.while_running = found_in(self.folder, self.secrets)
        self.afterwards = found_in(self.folder, self.secrets)


def _text(var: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in var.glob("capture.db*"))


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    return Journey(tmp_path_factory.mktemp("after"))


def test_nothing_in_clear_is_left(journey: Journey) -> None:
    """No token, cookie, date of birth, label, reference, note, password or picture is in any file, nor in the log (3, 4, 7)."""
    assert journey.while_running == set()
    assert journey.afterwards == set()


def test_what_was_sealed_is_there(journey: Journey) -> None:
    """The three photos that count are there as age files, the one that was taken again is gone, all of it this user's alone."""
    var = journey.folder / "var"
    parts = [path.read_bytes() for path in (var / "blobs").rglob("*.age")]
    assert len(parts) == 3
    assert all(part.startswith(b"age-encryption.org/v1\n-> mlkem768x25519 ") for part in parts)
    assert not [path for path in var.rglob("*") if path.is_file() and path.name.endswith(".part")]
    assert var.stat().st_mode & 0o777 == 0o700
    for path in (*var.glob("keys/*"), *var.glob("demo/*"), *var.glob("blobs/*/*")):
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_the_log_tells_what_happened_and_not_to_whom(journey: Journey) -> None:
    """There is a log line for each request, with its route; no address of a page is in it (SECURITY 7)."""
    log = (journey.folder / "server.log").read_text()
    for route in ("patient.start", "patient.confirm", "patient.send_photo", "patient.send"):
        assert f'"route": "{route}"' in log
    assert "/r/" not in log


def test_the_search_finds_each_of_them(journey: Journey, tmp_path: Path) -> None:
    """The search can fail: each secret in each spelling and encoding, and a picture, are found where they are put on purpose."""
    planted = [(what, text) for what, texts in journey.secrets.items() for text in texts]
    for what, text in planted:
        for number, needle in enumerate(encodings(text)):
            file = tmp_path / f"file{number}"
            file.write_bytes(b"before" + needle + b"after")
            assert (what, file.name) in found_in(tmp_path, journey.secrets), (what, text)
            file.unlink()
    (tmp_path / "blob").write_bytes(b"age-encryption.org/v1\n" + sample_photo())
    assert found_in(tmp_path, {}) == {("picture", "blob")}
