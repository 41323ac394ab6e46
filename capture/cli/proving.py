"""Proving a practice's keys from the command line: tests are written on the server, answered where the identities are."""

from pathlib import Path
from typing import Any

import click

from capture.cli.opening import read_identity
from capture.cli.output import FILE, PATH, json_option, print_result, reports_errors
from capture.cli.service import load_services


@click.command("prove")
@click.option("--ods", required=True, metavar="ODS", help="The practice's ODS code.")
@click.option("--out", type=PATH, help="Write a test for each key that is not proved yet into this folder.")
@click.option("--answer", "answers", multiple=True, metavar="ANSWER", help="What `capture answer` printed; may be given again.")
@json_option
@reports_errors
def prove(ods: str, out: Path | None, answers: tuple[str, ...], as_json: bool) -> None:
    """Prove a practice's first keys, so that it can ask: write tests with --out, then give what was in them with --answer."""
    if bool(out) == bool(answers):
        raise click.UsageError("Give --out to write tests, or --answer with what was in them.")
    services = load_services()
    try:
        values, text = _write_tests(services, ods, out) if out else _give_answers(services, ods, answers)
    finally:
        services.close()
    print_result(as_json, {"ods": ods, **values}, text)


def _write_tests(services: Any, ods: str, out: Path) -> tuple[dict[str, Any], str]:
    from capture.actions.prove_keys import ask_tests
    from capture.sealing.files import write_new

    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = []
    for test in ask_tests(services, _practice_id(services, ods)):
        path = out / f"test-{ods}-{test.kind}-{test.fingerprint[:4]}.age"
        path.unlink(missing_ok=True)
        write_new(path, test.sealed)
        written.append({"path": str(path), "kind": test.kind, "fingerprint": test.fingerprint})
    lines = [f"wrote {test['path']}, for the {test['kind']} key {test['fingerprint']}" for test in written]
    return {"tests": written}, "\n".join(lines) or f"Every key of {ods} is proved."


def _give_answers(services: Any, ods: str, answers: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    from capture.actions.prove_keys import answer_test, go_live, is_provable

    practice_id = _practice_id(services, ods)
    proved = [answer_test(services, practice_id, answer, actor="operator") for answer in answers]
    live = is_provable(services, practice_id)
    if live:
        go_live(services, practice_id, actor="operator")
    lines = [f"The {row.kind} key {row.fingerprint} is proved." for row in proved]
    lines.append(f"{ods} can ask for photos now." if live else f"{ods} cannot ask yet: both keys must be proved.")
    return {"proved": [row.fingerprint for row in proved], "live": live}, "\n".join(lines)


def _practice_id(services: Any, ods: str) -> str:
    from capture.store.practices import find_practice

    with services.database.read() as db:
        found: str = find_practice(db, ods).id
    return found


@click.command("answer")
@click.argument("test", type=FILE)
@click.option("--identity", required=True, type=FILE, help="The identity file, plain or under a passphrase.")
@click.option(
    "--passphrase-file", type=FILE, help="A file whose first line is the passphrase; else CAPTURE_PASSPHRASE, or it is asked for."
)
@json_option
@reports_errors
def answer_test(test: Path, identity: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Open a test that `capture practice prove` wrote, and print the answer to give back. Needs no service."""
    from capture.errors import AgeError
    from capture.sealing.age import open_sealed

    identities = read_identity(identity, passphrase_file).identities
    try:
        answer = open_sealed(test.read_bytes(), identities).decode("ascii")
    except UnicodeDecodeError:
        answer = ""
    if not (answer.isalnum() and len(answer) < 100):
        raise AgeError("This is not a test of a key.", hint="capture open opens bundles")
    print_result(as_json, {"answer": answer}, answer)
