"""Patients are told which place on the body to photograph, once they have said who they are."""

from capture.services import Services
from tests.builders import ARequest, agree_patient
from tests.web.conftest import app_with
from tests.web.html import Visitor, patient


def words(page_text: str) -> str:
    return " ".join(page_text.split())


def test_the_list_and_each_photo_say_where_on_the_body(agreed: Visitor) -> None:
    """Whoever has two moles photographs the one that was asked for: place and side stand on the list and on each photo's page."""
    for path in ("/photos", "/photos/context"):
        text = words("".join(agreed.get(path).tree.itertext()))
        assert "Where on the body: Forearm (back), left side" in text, path


def test_the_place_is_told_to_nobody_else(visitor: Visitor, asked: ARequest) -> None:
    """SECURITY 2: the first page shows no personal data, so it names no place."""
    assert b"forearm" not in visitor.get(asked.path).data.lower()


def test_the_place_is_in_the_language_of_the_page(services: Services, asked: ARequest) -> None:
    """A place that staff chose from the list is read in Welsh by who reads Welsh."""
    reader = patient(app_with(services, languages=("cy", "en")), asked, agree_patient(services, asked))
    assert b"Forearm" not in reader.get("/photos").data
