"""Settings and `capture check`: every problem at once, and nothing half right."""

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pytest
from sqlalchemy import text

from capture import check
from capture.app import make_services
from capture.check import find_problems
from capture.errors import SettingsError
from capture.services import Services
from capture.settings import RANGES, ROOT, Settings, load_settings
from tests.builders import make_practice
from tests.cli.conftest import Command

KINDS = {field.name: field.type for field in fields(Settings) if field.name not in {"var", "database"}}
GOOD = (ROOT / "config/capture.toml").read_text("utf-8")


def problems_of(environment: dict[str, str], **overrides: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment, **overrides)
    assert "docs/settings.md" in (caught.value.hint or "")
    return caught.value.problems


def with_file(folder: Path, contents: str | bytes) -> dict[str, str]:
    path = folder / "capture.toml"
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return {"CAPTURE_CONFIG": str(path)}


def test_our_own_settings_are_right() -> None:
    """Without any variable the settings in config/ load, data goes to var/ and its SQLite file, and it is no demo."""
    settings = load_settings({})
    assert (settings.var, settings.database) == (ROOT / "var", f"sqlite:///{ROOT / 'var/capture.db'}")
    assert (settings.secure, settings.demo, settings.keys) == (False, False, ROOT / "var/keys")
    assert load_settings({"CAPTURE_ORIGIN": "https://photos.example.nhs.uk"}).secure


def test_every_setting_is_described() -> None:
    """Each setting stands in docs/settings.md, and in the file with its default."""
    described = (ROOT / "docs/settings.md").read_text("utf-8")
    for field in fields(Settings):
        if field.name != "demo":
            assert f"`{field.name}`" in described, field.name
        if field.name not in {"demo", "var", "database"}:
            assert re.search(rf"^{field.name} = \S", GOOD, re.MULTILINE), field.name


def test_the_environment_wins() -> None:
    """A CAPTURE_ variable is stronger than the file, and an option of the command stronger than both."""
    environment = {"CAPTURE_PORT": "9000", "CAPTURE_WORKER": "Off", "CAPTURE_VAR": "/data", "CAPTURE_LINK_DAYS": "14"}
    settings = load_settings(environment)
    assert (settings.port, settings.worker, settings.var, settings.link_days) == (9000, False, Path("/data"), 14)
    assert load_settings(environment, port=1).port == 1
    assert load_settings({"CAPTURE_WORKER": "yes"}).worker


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """Ten mistakes give ten sentences, in one go."""
    environment = with_file(tmp_path, GOOD.replace("threads = 16", "threads = 0\ncolour = 1").replace('surface = "both"', ""))
    environment |= {
        "CAPTURE_PORT": "eighty",
        "CAPTURE_ORIGIN": "http://photos.example.org",
        "CAPTURE_WORKER": "perhaps",
        "CAPTURE_LIMITS": "file://",
        "CAPTURE_DATABASE": "mysql://",
        "CAPTURE_SECURITY_CONTACT": "me",
        "CAPTURE_LINK_DAYS": "29",
    }
    found = problems_of(environment)
    for said in (
        "capture.toml has 'colour', which is not a setting",
        "threads must be from 1 to 256, not 0",
        "surface is not set",
        "port must be a whole number, not 'eighty'",
        "origin must start with https:// unless it is this machine itself",
        "worker must be true or false, not 'perhaps'",
        "database must start with sqlite:/// or postgresql+psycopg://",
        "security_contact must be a mailto: or https: address",
        "link_days must be from 1 to 28, not 29",
        "limits must be memory://, or like redis://host:6379/0 or rediss://:password@host:6379/0",
    ):
        assert said in found


@pytest.mark.parametrize("name", RANGES)
def test_ranges(name: str) -> None:
    """Every number has a least and a greatest value, and both are allowed."""
    low, high = RANGES[name]
    sizes = ("max_photo_bytes", "max_upload_bytes", "max_link_bytes", "upload_memory")  # a photo must fit into each later one
    names = sizes if name in sizes else (name,)
    for value in (low, high):
        numbers = {each: min(max(value, RANGES[each][0]), RANGES[each][1]) for each in names}
        assert getattr(load_settings({f"CAPTURE_{each.upper()}": str(number) for each, number in numbers.items()}), name) == value
    for value in (low - 1, high + 1):
        assert any(problem.startswith(f"{name} must be from") for problem in problems_of({f"CAPTURE_{name.upper()}": str(value)}))


@pytest.mark.parametrize(
    "field", [field for field in fields(Settings) if field.name not in {"var", "database"}], ids=lambda f: f.name
)
def test_a_value_of_another_kind(tmp_path: Path, field: object) -> None:
    """In the file a number is a number, a text a text, and yes or no is true or false: `port = "8000"` is a problem."""
    name, kind = field.name, field.type  # type: ignore[attr-defined]
    wrong = {int: '"8000"', str: "3", bool: '"yes"', tuple[str, ...]: '"en"'}[kind]
    others = "\n".join(line for line in GOOD.splitlines() if not line.startswith(f"{name} ="))
    found = problems_of(with_file(tmp_path, f"{others}\n{name} = {wrong}\n"))
    assert [problem for problem in found if problem.startswith(f"{name} must be")], found
    assert problems_of(with_file(tmp_path, f"{others}\n{name} = [1]\n"))


def test_networks_of_webhooks() -> None:
    """SECURITY 43: networks that webhooks may go to are networks, listed in a variable with commas; none by default."""
    assert load_settings({}).webhook_networks == ()
    assert load_settings({"CAPTURE_WEBHOOK_NETWORKS": "10.20.0.0/16, fd12::/32"}).webhook_networks == ("10.20.0.0/16", "fd12::/32")
    for networks in ("10.20.0.1/16", "intranet", "10.0.0.0/33"):
        assert any("webhook_networks has" in problem for problem in problems_of({"CAPTURE_WEBHOOK_NETWORKS": networks}))
    assert problems_of({"CAPTURE_WEBHOOK_CA_FILE": "/nowhere.pem"})


@pytest.mark.parametrize(
    ("languages", "said"),
    [("en, xx", "languages has 'xx', which is none of ar"), ("cy", "languages must have 'en' among them"), ("en en", "none twice")],
)
def test_languages_that_cannot_be_on(languages: str, said: str) -> None:
    """A language without a catalogue, English missing, or one named twice, is a problem that names what there is."""
    assert load_settings({"CAPTURE_LANGUAGES": "cy,en"}).languages == ("cy", "en")
    assert any(said in problem for problem in problems_of({"CAPTURE_LANGUAGES": languages}))


@pytest.mark.parametrize("line", ["var = 3", "database = 3", "var = ['x']"])
def test_places_of_another_kind(tmp_path: Path, line: str) -> None:
    """A number where a path or an address should be is a problem, not a traceback."""
    assert any("must be" in problem for problem in problems_of(with_file(tmp_path, f"{line}\n{GOOD}")))


@pytest.mark.parametrize(
    "origin",
    [
        "photos.example.org",
        "https://",
        "https://photos.example.org/",
        "https://photos.example.org/capture",
        "https://photos.example.org?x",
        "ftp://photos.example.org",
        "http://192.168.1.4",
        "http://localhost.example.org",
        "https://[::1",
        "https://host:port",
        "https://user@photos.example.org",
        "https://photos.example.org\n",
        "https://Photos.example.org",
        "HTTPS://photos.example.org",
        "https://photos.example.org:443",
        "https://photos.example.org:0443",
        "https://photos.example.org:08443",
        "https://photos.example.org:",
        "http://127.0.0.1:80",
        "https://photos example.org",
        "https://bücher.example",
        "",
    ],
)
def test_an_origin_that_links_cannot_be_built_from(origin: str) -> None:
    """An origin is scheme and host alone, over TLS unless it is this machine (SECURITY 14)."""
    assert any("origin" in problem for problem in problems_of({"CAPTURE_ORIGIN": origin}))


@pytest.mark.parametrize(
    "origin", ["https://photos.example.nhs.uk", "https://a.b:8443", "http://localhost:1", "http://[::1]:8080", "https://a.b:80"]
)
def test_an_origin_that_is_right(origin: str) -> None:
    """A host over TLS, and this machine without, are taken as they are."""
    assert load_settings({"CAPTURE_ORIGIN": origin}).origin == origin


def test_where_links_lead() -> None:
    """Links are built from the process's own origin, or, where the patients' pages run apart, from theirs (SECURITY 14)."""
    staff, patients = "https://staff.example.nhs.uk", "https://photos.example.nhs.uk"
    assert load_settings({"CAPTURE_ORIGIN": staff}).link_origin == staff
    apart = {"CAPTURE_ORIGIN": staff, "CAPTURE_PATIENT_ORIGIN": patients}
    settings = load_settings({**apart, "CAPTURE_SURFACE": "staff"})
    assert (settings.origin, settings.link_origin) == (staff, patients)
    for surface in ("both", "patient"):
        assert any(
            "patient_origin is for surface staff" in problem for problem in problems_of({**apart, "CAPTURE_SURFACE": surface})
        )
        load_settings({"CAPTURE_ORIGIN": patients, "CAPTURE_PATIENT_ORIGIN": patients, "CAPTURE_SURFACE": surface})
    wrong = {"CAPTURE_SURFACE": "staff", "CAPTURE_PATIENT_ORIGIN": "https://Photos.example.org/"}
    assert any(problem.startswith("patient_origin must be like") for problem in problems_of(wrong))


@pytest.mark.parametrize("var", ["", ".", str(ROOT), "var/.."])
def test_data_never_lies_among_the_source(var: str) -> None:
    """A variable that is empty, or names the project itself, is refused: the data would lie beside the code."""
    assert any(problem.startswith("var must be") for problem in problems_of({"CAPTURE_VAR": var}))


@pytest.mark.parametrize(
    "path", ["", ":memory:", "capture.db", "../capture.db", "/data/", "/data/capture.db?mode=ro", "file:/x?mode=memory", "/a\0b"]
)
def test_a_database_that_would_not_last(path: str) -> None:
    """SQLite in memory, under a relative path or with options is refused: the database is one file, named by its whole path."""
    assert any(
        problem.startswith("database must name a file") for problem in problems_of({"CAPTURE_DATABASE": f"sqlite:///{path}"})
    )


def test_a_photo_is_not_larger_than_an_upload() -> None:
    """The largest photo that is kept cannot be larger than the largest that may arrive."""
    found = problems_of({"CAPTURE_MAX_PHOTO_BYTES": "2000001", "CAPTURE_MAX_UPLOAD_BYTES": "2000000"})
    assert found == ["max_photo_bytes must not be above max_upload_bytes, 2,000,000"]
    load_settings({"CAPTURE_MAX_PHOTO_BYTES": "2000000", "CAPTURE_MAX_UPLOAD_BYTES": "2000000"})


def test_a_folder_that_others_can_enter_stops_every_start(capture: Command, open_services: Callable[[], Services]) -> None:
    """With a data folder that others can enter nothing starts, and the command that closes it is the hint."""
    open_services()
    for mode in (0o710, 0o701, 0o755):
        capture.var.chmod(mode)
        assert f"hint: chmod 700 {capture.var}" in capture("practice", "list", code=4).stderr
    capture.var.chmod(0o700)
    capture("practice", "list")


def test_a_database_from_a_newer_version(capture: Command, open_services: Callable[[], Services]) -> None:
    """A database that a newer version has migrated stops the start with a sentence and a hint, and stays as it is."""
    services = open_services()
    with services.database.write() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    result = capture("practice", "list", code=4)
    assert "newer version" in result.stderr
    assert "hint: start that version" in result.stderr


def test_two_first_starts_at_once(tmp_path: Path) -> None:
    """Processes that start at the same moment on an empty folder end with one secret and one signing key."""
    ready, settings = threading.Barrier(4), load_settings({}, var=tmp_path / "var")

    def start(_number: int) -> tuple[bytes, str]:
        ready.wait()
        services = make_services(settings)
        services.close()
        return services.vault.derive("x"), str(services.signing_key.verifying_key)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start, range(4)))) == 1


@pytest.mark.parametrize("contents", ["port = ", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read(tmp_path: Path, contents: str | bytes | None) -> None:
    """A file that is missing, not TOML or not UTF-8 is named."""
    environment = {"CAPTURE_CONFIG": str(tmp_path / "none.toml")} if contents is None else with_file(tmp_path, contents)
    assert any(environment["CAPTURE_CONFIG"] in problem for problem in problems_of(environment))


def test_check_on_a_machine_where_nothing_was_made(capture: Command) -> None:
    """Before the first start everything is right, and looking makes nothing."""
    findings = capture.json("check")
    assert all(finding["ok"] for finding in findings)
    assert {"settings", "photos", "database"} <= {finding["subject"] for finding in findings}
    assert not capture.var.exists()


def test_check_says_everything_at_once(capture: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad settings and a bad list of protocols are all in one answer, which ends with 4."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "sites.toml").write_text("sites = 3")
    monkeypatch.setattr(check, "ROOT", tmp_path)
    environment = {"CAPTURE_PORT": "x", "CAPTURE_SURFACE": "none", "CAPTURE_LINK_DAYS": "0"}
    findings = capture.json("check", code=4, **environment)
    wrong = "\n".join(finding["fact"] for finding in findings if not finding["ok"])
    for said in ("port must be", "surface must be", "link_days must be", "sites must hold tables", "protocols.toml cannot be read"):
        assert said in wrong
    assert all(finding["hint"] for finding in findings if not finding["ok"])
    shown = capture("check", code=4, **environment).stdout
    assert shown.count("PROBLEM") == len(wrong.splitlines())
    assert "hint: " in shown


def test_check_on_a_service_that_runs(capture: Command, open_services: Callable[[], Services]) -> None:
    """The signer's fingerprint and each practice's keys are told; a practice without a key is a problem with its hint."""
    services = open_services()
    practice, naked = make_practice(services), make_practice(services, with_keys=False)
    findings = {finding["subject"]: finding for finding in capture.json("check", code=4)}
    assert services.signing_key.verifying_key.fingerprint in findings["keys"]["fact"]
    assert findings[f"practice {practice.ods}"]["fact"] == "photos are sealed to 2 recipients"
    assert not findings[f"practice {naked.ods}"]["ok"]
    assert "--recipient" in findings[f"practice {naked.ods}"]["hint"]
    assert findings["folder"]["ok"]
    assert findings["database"] == {"ok": True, "subject": "database", "fact": "it answers", "hint": ""}


def test_check_finds_a_key_that_was_changed(capture: Command, open_services: Callable[[], Services]) -> None:
    """A recipient that was edited in the database is told (SECURITY 35)."""
    services = open_services()
    practice = make_practice(services)
    with services.database.write() as db:
        db.execute(text("UPDATE recipients SET retired_at = created_at WHERE kind = 'recovery'"))
    findings = {finding["subject"]: finding for finding in capture.json("check", code=4)}
    assert "changed outside" in findings[f"practice {practice.ods}"]["hint"]


def test_check_finds_an_audit_trail_that_was_tampered_with(capture: Command, open_services: Callable[[], Services]) -> None:
    """A chain with an event missing is told, by its practice (SECURITY 39)."""
    services = open_services()
    practice = make_practice(services)
    with services.database.write() as db:
        db.execute(text("DELETE FROM audit WHERE number = 1"))
    wrong = [finding for finding in capture.json("check", code=4) if not finding["ok"]]
    assert [finding["subject"] for finding in wrong] == [f"practice {practice.ods}"]
    assert "audit trail was tampered with: event 1 is missing" in wrong[0]["fact"]


@pytest.mark.parametrize("lost", ["keys/secret", "keys/signing.key"])
def test_a_lost_key_is_told(capture: Command, open_services: Callable[[], Services], lost: str) -> None:
    """A missing key that the database depends on is a problem with a hint, and stops every other command with 4."""
    open_services()
    (capture.var / lost).unlink()
    wrong = [finding for finding in capture.json("check", code=4) if not finding["ok"]]
    assert any(lost in finding["fact"] and finding["hint"] for finding in wrong), wrong
    result = capture("practice", "list", code=4)
    assert lost in result.stderr
    assert "hint: " in result.stderr
    assert not (capture.var / lost).exists()


def test_check_finds_what_is_no_database(capture: Command, open_services: Callable[[], Services]) -> None:
    """A database file that holds something else is a problem, told in a sentence."""
    open_services()
    for path in capture.var.glob("capture.db*"):
        path.write_bytes(b"not a database" * 1000)
    wrong = [finding for finding in capture.json("check", code=4) if not finding["ok"]]
    assert [finding["subject"] for finding in wrong] == ["database"]
    assert "not a database" in wrong[0]["hint"]


def test_check_finds_an_open_folder(capture: Command, open_services: Callable[[], Services]) -> None:
    """A data folder that others can enter is a problem, with the command that closes it."""
    open_services()
    capture.var.chmod(0o755)
    (wrong,) = [finding for finding in capture.json("check", code=4) if not finding["ok"]]
    assert "755" in wrong["fact"]
    assert wrong["hint"] == f"chmod 700 {capture.var}"


def test_check_says_what_the_machine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TurboJPEG everything still works, and the line that installs it is shown."""
    monkeypatch.setattr(check, "find_library", lambda _name: None)
    (finding,) = [finding for finding in find_problems() if finding.subject == "photos"]
    assert finding.ok
    assert finding.hint == "apt install libturbojpeg0"
    assert json.dumps(finding.fact)
