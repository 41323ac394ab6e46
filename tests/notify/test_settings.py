"""The settings of texts and e-mails: what does not fit together is told at the start, all at once; `capture check` asks there."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from capture import check
from capture.errors import SettingsError
from capture.notify import choose_messengers
from capture.notify.mail import Mail
from capture.notify.sms import Notify
from capture.services import Services
from capture.settings import Settings, load_settings
from tests.notify.mail_server import Mailbox
from tests.notify.stand_in import KEY, TEMPLATE, StandIn


def problems_of(**settings: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings({}, **settings)
    return caught.value.problems


def test_nothing_is_sent_unless_it_is_set() -> None:
    """Without settings there is no carrier at all."""
    assert choose_messengers(load_settings({})) == {}


def test_both_carriers(key_file: Path, tmp_path: Path) -> None:
    """A key and a template give texts, a host and a sender e-mails; relative paths start at the project's root."""
    (tmp_path / "password").write_text("x")
    texts = {"notify_key_file": str(key_file), "notify_template": TEMPLATE}
    mails = {"mail_host": "mail.example.org", "mail_from": "a@b.example", "mail_user": "u"}
    settings = load_settings({}, **texts, **mails, mail_password_file=str(tmp_path / "password"))
    chosen = choose_messengers(settings)
    assert isinstance(chosen["sms"], Notify)
    assert chosen["email"] == Mail("mail.example.org", 587, "starttls", "a@b.example", 10, "u", password_file=tmp_path / "password")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"notify_key_file": "/nowhere/key"}, "notify_key_file: /nowhere/key cannot be read: No such file or directory"),
        ({"notify_key_file": "/dev/null"}, "notify_key_file: /dev/null is empty"),
        (
            {"notify_callback_file": "/nowhere/token"},
            "notify_callback_file: /nowhere/token cannot be read: No such file or directory",
        ),
        ({"notify_template": TEMPLATE}, "notify_key_file and notify_template go together: set both or neither"),
        ({"notify_template": "mine"}, "notify_template must be the id of a template at GOV.UK Notify, not 'mine'"),
        ({"notify_url": "http://192.0.2.1"}, "notify_url must start with https:// unless it is this machine itself"),
        ({"mail_host": "mail.example.org"}, "mail_host and mail_from go together: set both or neither"),
        ({"mail_user": "u"}, "mail_user and mail_password_file go together: set both or neither"),
        ({"mail_security": "ssl"}, "mail_security must be one of starttls, tls, none, not 'ssl'"),
        ({"mail_from": "Surgery"}, "mail_from must be an e-mail address, not 'Surgery'"),
        ({"message_seconds": 60}, "message_seconds must be from 1 to 20, not 60"),
    ],
)
def test_what_does_not_fit(settings: dict[str, object], said: str) -> None:
    """Each mistake has its sentence."""
    assert said in problems_of(**settings)


def test_mail_in_clear_is_for_tests() -> None:
    """Mail without TLS goes to this machine alone, and only where the settings say test or demo."""
    said = "mail_security none is for tests: with test_messages, to this machine itself"
    mail = {"mail_from": "a@b.example", "mail_security": "none"}
    assert said in problems_of(**mail, mail_host="127.0.0.1")
    assert said in problems_of(**mail, mail_host="mail.example.org", test_messages=True)
    for allowed in ({"test_messages": True}, {"demo": True}):
        assert load_settings({}, **mail, **allowed, mail_host="localhost").mail_security == "none"


def test_all_at_once() -> None:
    """Mistakes in texts and e-mails are told together."""
    assert len(problems_of(notify_key_file="/nowhere", mail_host="x", mail_user="u", mail_security="")) == 5


@pytest.fixture
def found(carried: Services, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, check.Finding]]:
    """What `capture check` says with the carriers' settings, by subject."""

    def load() -> Settings:
        return carried.settings

    monkeypatch.setattr(check, "load_settings", load)
    return lambda: {finding.subject: finding for finding in check.find_problems()}


def test_check_asks_there(found: Callable[[], dict[str, check.Finding]], notify: StandIn, mailbox: Mailbox, key_file: Path) -> None:
    """`capture check` reaches both carriers and sends nothing; a key that is not right is told without the key."""
    findings = found()
    assert findings["texts"].ok
    assert findings["e-mails"].ok
    assert not notify.texts
    assert not mailbox.raw
    key_file.write_text(KEY.replace("3d844edf", "00000000"))
    wrong = found()["texts"]
    assert not wrong.ok
    assert wrong.fact == "they cannot be sent just now (notify-refused)"
    assert "403" in wrong.hint


@pytest.mark.parametrize(("length", "long"), [(len("https://photos.example.org"), False), (70, False), (71, True)])
def test_check_tells_of_long_texts(
    carried: Services, found: Callable[[], dict[str, check.Finding]], monkeypatch: pytest.MonkeyPatch, length: int, long: bool
) -> None:
    """An address so long that each text costs two is told once, with what to do; a shorter one is not worth a line."""
    origin = "https://photos." + "x" * (length - len("https://photos..org")) + ".org"
    monkeypatch.setattr(check, "load_settings", lambda: replace(carried.settings, origin=origin, patient_origin=""))
    said = [finding for subject, finding in found().items() if subject == "length of texts"]
    assert len(said) == long
    for finding in said:
        assert origin in finding.fact
        assert finding.hint
