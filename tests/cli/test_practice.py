"""The commands of an operator: a practice, its keys, its members, a request for photos, the worker."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pyotp
import pytest

from capture.actions.open_link import confirm, find_link
from capture.actions.sign_in import give_code, give_password
from capture.domain.requests import State
from capture.sealing.keys import Identity, Recipient
from capture.services import Services
from capture.settings import ROOT
from capture.store.models import AuditEvent, Delivery, RecipientRow, Request
from capture.store.practices import find_practice
from capture.store.recipients import current_recipients, list_identities, list_recipients
from capture.store.requests import details_of
from tests.builders import make_practice, make_request, make_submitted
from tests.cli.conftest import Command

Opener = Callable[[], Services]
PRACTICE = ("--ods", "A81001", "--name", "Elm Surgery", "--phone", "0191 498 0456")
REQUEST = ("--practice", "A81001", "--dob", "1980-03-31", "--protocol", "lesion", "--site", "arm", "--side", "left")
PASSWORD = "correct horse battery"


@pytest.fixture
def key(capture: Command, tmp_path: Path) -> str:
    """The recipient of an identity that `capture keygen` has made."""
    recipient: str = capture.json("keygen", "--out", tmp_path / "staff.key")["recipient"]
    return recipient


@pytest.fixture
def live(capture: Command, key: str, tmp_path: Path) -> str:
    """A practice that can ask, all by commands: two keys, a test of each, their answers. Gives the staff recipient."""
    recovery = capture.json("keygen", "--out", tmp_path / "recovery.key")["recipient"]
    capture("practice", "add", *PRACTICE, "--recipient", key, "--recovery", recovery)
    tests = capture.json("practice", "prove", "--ods", "A81001", "--out", tmp_path / "tests")["tests"]
    files = {test["kind"]: test["path"] for test in tests}
    answers = [capture("answer", files[kind], "--identity", tmp_path / f"{kind}.key").stdout.strip() for kind in files]
    done = capture.json("practice", "prove", "--ods", "A81001", *(word for answer in answers for word in ("--answer", answer)))
    assert done["live"]
    return key


def test_a_practice_with_its_keys(capture: Command, open_services: Opener, key: str, tmp_path: Path) -> None:
    """A practice is added with its recipients and its sealed identity file, and prints the signer to pin."""
    recovery = capture.json("keygen", "--out", tmp_path / "recovery.key")["recipient"]
    (tmp_path / "pass").write_text("one-two-three-four\n")
    capture("keygen", "--out", tmp_path / "staff.age", "--passphrase-file", tmp_path / "pass")
    keys = ("--recipient", key, "--recovery", recovery, "--identity-file", tmp_path / "staff.age")
    made = capture.json("practice", "add", *PRACTICE, *keys)
    services = open_services()
    assert made["signer"] == str(services.signing_key.verifying_key)
    with services.database.read() as db:
        practice = find_practice(db, "A81001")
        assert (practice.id, practice.name, practice.phone) == (made["id"], "Elm Surgery", "0191 498 0456")
        files = {row.recipient: row.identity_file for row in list_recipients(db, practice.id)}
        assert files == {key: (tmp_path / "staff.age").read_bytes(), recovery: None}


def test_keys_are_proved_by_commands(capture: Command, open_services: Opener, live: str, tmp_path: Path) -> None:
    """SECURITY 34: tests written on the server and answered where the identities are make a practice live; then none is left."""
    capture("request", "create", *REQUEST)
    services = open_services()
    with services.database.read() as db:
        practice = find_practice(db, "A81001")
        rows = current_recipients(db, practice.id)
        assert {row.kind for row in rows} == {"staff", "recovery"}
        assert live in {row.recipient for row in rows}
        assert list_identities(db, practice.id) == []
    assert "is proved" in capture("practice", "prove", "--ods", "A81001", "--out", tmp_path / "none").stdout


def test_one_key_alone_is_not_enough(capture: Command, key: str, tmp_path: Path) -> None:
    """SECURITY 34: with the recovery key unproved the practice still cannot ask; a wrong answer and a wrong use are told."""
    recovery = capture.json("keygen", "--out", tmp_path / "recovery.key")["recipient"]
    capture("practice", "add", *PRACTICE, "--recipient", key, "--recovery", recovery)
    prove = ("practice", "prove", "--ods", "A81001")
    assert "--out" in capture(*prove, code=2).stderr
    assert "not the answer" in capture(*prove, "--answer", "AAAA", code=1).stderr
    written = {test["kind"]: test["path"] for test in capture.json(*prove, "--out", tmp_path)["tests"]}
    assert (
        "not sealed to this identity" in capture("answer", written["recovery"], "--identity", tmp_path / "staff.key", code=3).stderr
    )
    answer = capture.json("answer", written["staff"], "--identity", tmp_path / "staff.key")["answer"]
    assert "cannot ask yet" in capture(*prove, "--answer", answer).stdout
    assert "not the answer" in capture(*prove, "--answer", answer, code=1).stderr
    assert "no proven keys" in capture("request", "create", *REQUEST, code=4).stderr


def test_the_first_keys_of_a_practice(capture: Command, open_services: Opener, key: str, tmp_path: Path) -> None:
    """A practice that was added without a key gets its keys later, one by one if need be; what is shown is what to compare."""
    capture("practice", "add", *PRACTICE)
    assert "no proven keys" in capture("request", "create", *REQUEST, code=4).stderr
    recovery = capture.json("keygen", "--out", tmp_path / "recovery.key")
    capture("keygen", "--out", tmp_path / "staff.age", "--passphrase", text="one-two-three\none-two-three\n")
    given = ("--ods", "A81001", "--recipient", key, "--recovery", recovery["recipient"], "--identity-file", tmp_path / "staff.age")
    made = capture.json("practice", "key", *given)
    services = open_services()
    assert made["signer"] == str(services.signing_key.verifying_key)
    assert made["fingerprints"] == {"staff": Recipient.parse(key).fingerprint, "recovery": recovery["fingerprint"]}
    with services.database.read() as db:
        files = {row.recipient: row.identity_file for row in list_recipients(db, made["id"])}
        assert files == {key: (tmp_path / "staff.age").read_bytes(), recovery["recipient"]: None}
        added = [row.facts for row in db.query(AuditEvent).filter_by(action="key added").order_by(AuditEvent.number)]
        assert [json.loads(facts)["fingerprint"] for facts in added] == list(made["fingerprints"].values())


def test_keys_are_given_once(capture: Command, open_services: Opener, key: str, tmp_path: Path) -> None:
    """A practice that has a recovery key gets no second one by this command, only the staff key that it lacks (SECURITY 35)."""
    other = capture.json("keygen", "--out", tmp_path / "other.key")["recipient"]
    capture("practice", "add", *PRACTICE, "--recovery", key)
    give = ("practice", "key", "--ods")
    assert "has a recovery key already" in capture(*give, "A81001", "--recovery", other, code=1).stderr
    assert "is here already" in capture(*give, "A81001", "--recipient", key, code=1).stderr
    assert "no practice Z9" in capture(*give, "Z9", "--recipient", other, code=1).stderr
    naked = ("A81001", "--recipient", other, "--identity-file", tmp_path / "other.key")
    assert "not under a passphrase" in capture(*give, *naked, code=1).stderr
    capture(*give, "A81001", "--recipient", other)
    with open_services().database.read() as db:
        assert {(row.kind, row.recipient) for row in db.query(RecipientRow)} == {("recovery", key), ("staff", other)}


def test_keys_of_a_practice_that_asks_are_not_given_by_command(capture: Command, live: str, tmp_path: Path) -> None:
    """SECURITY 35: once a practice asks for photos no command adds a key: that takes two of its members."""
    other = capture.json("keygen", "--out", tmp_path / "other.key")["recipient"]
    result = capture("practice", "key", "--ods", "A81001", "--recipient", other, code=1)
    assert "needs two of its members" in result.stderr
    assert live not in result.stderr


def test_listing_practices(capture: Command) -> None:
    """The list says when it is empty, shows each practice by its code, and is JSON for a program."""
    assert "no practice yet" in capture("practice", "list").output
    assert capture.json("practice", "list") == []
    assert "A81001 was added" in capture("practice", "add", *PRACTICE).output
    row = {"ods": "A81001", "name": "Elm Surgery", "phone": "0191 498 0456", "intimate": "off"}
    assert capture.json("practice", "list") == [row]
    assert "A81001     Elm Surgery  0191 498 0456" in capture("practice", "list").output


@pytest.mark.parametrize(
    ("args", "said", "code"),
    [
        (("--ods", "a-1", "--name", "x", "--phone", "1"), "is not an ODS code", 1),
        (("--ods", "A1", "--name", " ", "--phone", "1"), "needs a name and a phone number", 1),
        ((*PRACTICE, "--recipient", "age1pq1nonsense"), "not a recipient", 3),
        ((*PRACTICE, "--recovery", "ssh-ed25519 AAAA"), "not a recipient", 3),
    ],
)
def test_a_practice_that_is_not_right(capture: Command, args: tuple[str, ...], said: str, code: int) -> None:
    """A wrong code, an empty name and something that is no key are refused with the reason, and nothing is added."""
    assert said in capture("practice", "add", *args, code=code).stderr
    assert capture.json("practice", "list") == []


def test_a_practice_is_added_once(capture: Command) -> None:
    """A second practice under the same code is refused."""
    capture("practice", "add", *PRACTICE)
    assert "A81001 already" in capture("practice", "add", *PRACTICE, code=1).stderr


def test_a_naked_identity_never_reaches_the_service(capture: Command, key: str, tmp_path: Path) -> None:
    """An identity file that is not under a passphrase is refused: the service must never hold what opens a photo (SECURITY 42)."""
    files = ("--recipient", key, "--identity-file", tmp_path / "staff.key")
    result = capture("practice", "add", *PRACTICE, *files, code=1)
    assert "not under a passphrase" in result.stderr
    assert "hint: " in result.stderr
    assert capture.json("practice", "list") == []


def test_an_identity_file_needs_its_recipient(capture: Command, tmp_path: Path) -> None:
    """An identity file without the recipient that belongs to it is a wrong use, not silently dropped."""
    (tmp_path / "pass").write_text("one-two-three-four\n")
    capture("keygen", "--out", tmp_path / "staff.age", "--passphrase-file", tmp_path / "pass")
    result = capture("practice", "add", *PRACTICE, "--identity-file", tmp_path / "staff.age", code=2)
    assert "--recipient" in result.stderr


def test_a_member_can_sign_in(capture: Command, open_services: Opener, tmp_path: Path) -> None:
    """The password from the file and a code from the printed secret sign the new member in."""
    capture("practice", "add", *PRACTICE)
    (tmp_path / "password").write_text(f"{PASSWORD}\nsecond line\n")
    args = ("--practice", "A81001", "--email", "ada@elm.example", "--name", "Ada", "--password-file", tmp_path / "password")
    made = capture.json("member", "add", *args)
    assert made["authenticator_secret"] in made["otpauth"]
    services = open_services()
    half = give_password(services, "ada@elm.example", PASSWORD)
    assert half
    assert give_code(services, half, pyotp.TOTP(made["authenticator_secret"]).now())


def test_a_password_is_asked_for_twice(capture: Command) -> None:
    """Without a file the password is asked for, hidden, and again; what is printed for a program stays JSON."""
    capture("practice", "add", *PRACTICE)
    args = ("member", "add", "--practice", "A81001", "--name", "Ada", "--email")
    made = capture.json(*args, "a@elm.example", text=f"{PASSWORD}\n{PASSWORD}\n")
    assert made["authenticator_secret"]
    result = capture(*args, "b@elm.example", text=f"{PASSWORD}\nsomething else\n{PASSWORD}\n{PASSWORD}\n")
    assert "b@elm.example was added." in result.stdout
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    ("practice", "email", "password", "said"),
    [
        ("Z9", "a@elm.example", PASSWORD, "no practice Z9"),
        ("A81001", "not an address", PASSWORD, "is not an e-mail address"),
        ("A81001", "a@elm.example", "short", "at least 12 characters"),
        ("A81001", "a@elm.example", "", "at least 12 characters"),
    ],
)
def test_a_member_that_is_not_right(capture: Command, practice: str, email: str, password: str, said: str) -> None:
    """An unknown practice, a text that is no address and a short password are refused with the reason."""
    capture("practice", "add", *PRACTICE)
    args = ("--practice", practice, "--email", email, "--name", "A", "--password-file", "-")
    assert said in capture("member", "add", *args, code=1, text=f"{password}\n").stderr


@pytest.mark.usefixtures("live")
def test_a_request_prints_a_link_that_opens(capture: Command, open_services: Opener) -> None:
    """The printed link opens for the date of birth that was given, and for no other; the label is sealed with the request."""
    more = ("--label", "Mrs Ada Byron", "--reference", "EMIS 1", "--days", "3")
    made = capture.json("request", "create", *REQUEST, *more)
    services = open_services()
    token = urlsplit(made["link"]).path.removeprefix("/r/")
    request, practice = find_link(services, token)
    assert (request.id, request.receipt, practice.ods) == (made["id"], made["receipt"], "A81001")
    assert made["link"].startswith(f"{services.settings.origin}/r/")
    expires = datetime.fromisoformat(made["expires_at"])
    assert expires == request.expires_at
    assert timedelta(days=3) - timedelta(minutes=1) < expires - datetime.now(UTC) < timedelta(days=3)
    assert confirm(services, token, date(1980, 3, 30)) is None
    assert confirm(services, token, date(1980, 3, 31))
    with services.database.read() as db:
        details = details_of(db, request)
    assert (details.label, details.reference, details.site, details.side) == ("Mrs Ada Byron", "EMIS 1", "arm", "left")


@pytest.mark.usefixtures("live")
def test_a_follow_up(capture: Command, open_services: Opener) -> None:
    """With the receipt of an earlier request and no more, the same views of the same place are asked for."""
    receipt = capture.json("request", "create", *REQUEST)["receipt"]
    again = ("--practice", "A81001", "--dob", "1980-03-31", "--protocol", "follow-up")
    made = capture.json("request", "create", *again, "--follows", receipt.lower())
    services = open_services()
    with services.database.read() as db:
        details = details_of(db, db.get_one(Request, made["id"]))
    assert (details.protocol, details.site, details.side, details.follows) == ("lesion", "arm", "left", receipt)
    assert "no request with this receipt" in capture("request", "create", *again, code=1).stderr
    assert "follow-up only" in capture("request", "create", *REQUEST, "--follows", receipt, code=1).stderr


@pytest.mark.usefixtures("live")
def test_a_request_for_a_person_is_one_line(capture: Command) -> None:
    """Without --json the link alone is printed, so that it can be piped; seven days is the default."""
    (line,) = capture("request", "create", *REQUEST).stdout.splitlines()
    assert line.startswith("http://127.0.0.1:8000/r/")
    expires = datetime.fromisoformat(capture.json("request", "create", *REQUEST)["expires_at"])
    assert timedelta(days=6, hours=23) < expires - datetime.now(UTC) < timedelta(days=7)


@pytest.mark.parametrize(
    ("change", "said", "code"),
    [
        (("--practice", "Z9"), "no practice Z9", 1),
        (("--protocol", "tattoo"), "what to ask for", 1),
        (("--site", "soul"), "place on the body", 1),
        (("--site", "breast"), "intimate", 1),
        (("--dob", "2999-01-01"), "date in the past", 1),
        ((), "", 4),
    ],
)
def test_a_request_that_cannot_be_made(capture: Command, change: tuple[str, ...], said: str, code: int) -> None:
    """What a policy forbids ends with 1 and the reason; a practice that has no key yet with 4 and a hint."""
    capture("practice", "add", *PRACTICE)
    result = capture("request", "create", *REQUEST, *change, code=code)
    assert said in result.stderr
    assert result.stdout == ""
    if code == 4:
        assert "hint: this practice has no proven keys" in result.stderr


def test_the_worker_delivers_once(capture: Command, open_services: Opener) -> None:
    """`capture worker --once` delivers everything that is due, then ends; again there is nothing to do."""
    services = open_services()
    practice = make_practice(services)
    asked = [make_request(services, practice) for _ in range(2)]
    for one in asked:
        make_submitted(services, one, delivered=False)
    for _ in range(2):
        capture("worker", "--once")
        with services.database.read() as db:
            assert {db.get_one(Request, one.id).state for one in asked} == {State.DELIVERED}
            assert {row.attempts for row in db.query(Delivery)} == {1}


def test_the_worker_ends_on_ctrl_c(capture: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the worker with a word and no traceback."""

    def interrupted(_services: Services, stop: threading.Event) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(10)

    monkeypatch.setattr("capture.worker.work", interrupted)
    assert "stopped" in capture("worker").stderr


def test_the_demo_keeps_what_is_there(tmp_path: Path) -> None:
    """Made twice, the demo has the same sign-in, passphrase and identity file, and a fresh link that works each time."""
    tours = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "capture", "demo", "--no-serve", "--json"],
            env={"CAPTURE_VAR": str(tmp_path / "var"), "PATH": ""},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        tours.append((json.loads(done.stdout), (tmp_path / "var/demo/identity.age").read_bytes()))
    (first, identity), (second, same_identity) = tours
    fresh = {"patient_link", "receipt"}
    assert {name for name in first if first[name] != second[name]} == fresh
    assert identity == same_identity
    assert first["identity_file"] == str(tmp_path / "var/demo/identity.age")
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert first["signer"].startswith("ed25519:")


def test_the_demo_is_a_whole_service(capture: Command, open_services: Opener) -> None:
    """What the demo prints is true: the sign-in signs in, the link opens, the passphrase opens the identity file."""
    tour = capture.json("demo", "--no-serve", "--port", "8123")
    assert tour["address"] == "http://127.0.0.1:8123"
    services = open_services()
    half = give_password(services, tour["email"], tour["password"])
    assert half
    assert give_code(services, half, pyotp.TOTP(tour["authenticator_secret"]).now())
    token = urlsplit(tour["patient_link"]).path.removeprefix("/r/")
    assert confirm(services, token, date.fromisoformat(tour["date_of_birth"]))
    shown = capture("demo", "--no-serve").stdout
    for fact in (tour["email"], tour["password"], tour["passphrase"], tour["authenticator_secret"], "date of birth 31 3 1980", "█"):
        assert fact in shown


@pytest.mark.parametrize("ods", ["A81001", "A1"])
def test_a_demo_beside_a_real_practice(capture: Command, ods: str) -> None:
    """Where there is a practice that is not the demo's, the demo adds nothing: its password is on the screen for anyone."""
    capture("practice", "add", "--ods", ods, "--name", "Elm Surgery", "--phone", "1")
    result = capture("demo", "--no-serve", code=1)
    assert f"not the demo's: {ods}" in result.stderr
    assert "hint: set CAPTURE_VAR to an empty folder" in result.stderr
    assert not (capture.var / "demo").exists()
    assert [row["name"] for row in capture.json("practice", "list")] == ["Elm Surgery"]


@pytest.mark.usefixtures("live")
def test_links_lead_where_the_patients_are(capture: Command) -> None:
    """With the staff pages apart, a link leads to the patients' origin, not to the staff's (SECURITY 14)."""
    origins = {"CAPTURE_ORIGIN": "https://staff.example", "CAPTURE_PATIENT_ORIGIN": "https://photos.example"}
    made = capture("request", "create", *REQUEST, CAPTURE_SURFACE="staff", **origins)  # type: ignore[arg-type]
    assert made.stdout.startswith("https://photos.example/r/")


def test_a_demo_whose_database_was_lost(capture: Command) -> None:
    """Key files of an older demo are never written over: the error names them and says how to begin anew."""
    for folder in (capture.var, capture.var / "demo"):
        folder.mkdir(mode=0o700)
    (capture.var / "demo/identity.age").write_text("older")
    result = capture("demo", "--no-serve", code=1)
    assert "identity.age is there, but the demo practice is not in the database" in result.stderr
    assert "begin anew" in result.stderr
    assert (capture.var / "demo/identity.age").read_text() == "older"


def test_the_recipient_is_what_keygen_says(key: str, tmp_path: Path) -> None:
    """The identity in the file that `keygen` wrote is the one whose recipient it printed."""
    line = (tmp_path / "staff.key").read_text().splitlines()[-1]
    assert str(Identity.parse(line).recipient) == key


def test_one_passphrase_is_enough(capture: Command, tmp_path: Path) -> None:
    """A passphrase that is asked for and one from a file at once is a wrong use; two that differ make no identity file."""
    (tmp_path / "pass").write_text("one-two-three-four\n")
    out = ("keygen", "--out", tmp_path / "staff.age", "--passphrase")
    assert "not both" in capture(*out, "--passphrase-file", tmp_path / "pass", code=2).stderr
    capture(*out, text="one\ntwo\n", code=1)
    assert not (tmp_path / "staff.age").exists()
