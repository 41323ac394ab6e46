"""What happens when the checker and the cleaner disagree."""

import logging

import pytest

from capture.errors import PhotoRefused
from capture.photos import verify
from capture.services import Services
from tests.builders import agree_patient, make_practice, make_request, photos_of, take_photo


def test_disagreement_refuses_the_photo_and_alerts_the_operator(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """SECURITY 17: a photo that the checker does not believe is not sealed or stored, and is logged as an error, without names."""
    asked = make_request(services, make_practice(services))
    agree_patient(services, asked)
    take_photo(services, asked)
    monkeypatch.setattr(verify, "_JFIF", b"another beginning")
    with caplog.at_level(logging.ERROR), pytest.raises(PhotoRefused) as refusal:
        take_photo(services, asked)
    assert refusal.value.code == "not-clean"
    assert len(photos_of(services, asked)) == 1
    (alert,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "checker" in alert.getMessage()
    assert not any(word in alert.getMessage() for word in (*asked.private, asked.token))
