"""The commands that work on this machine's service: its settings, keys and database."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click

from capture.cli.output import FILE, NOT_READY, P, json_option, print_result, reports_errors
from capture.errors import CaptureError


def load_services(**overrides: Any) -> Any:
    """The services of this machine's settings; imported late, so that `--help` is quick."""
    from capture.app import make_services
    from capture.settings import load_settings

    os.umask(0o077)  # whatever is written is for this user only
    return make_services(load_settings(**overrides))


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), help="Listen on this port instead of the one in the settings.")
@reports_errors
def serve(port: int | None) -> None:
    """Serve the pages, with a worker inside unless the settings say otherwise."""
    from capture.serve import init_logging
    from capture.serve import serve as run

    init_logging()
    run(load_services(**({} if port is None else {"port": port})))


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8000, show_default=True, help="Listen on this port of this machine."
)
@click.option("--no-serve", is_flag=True, help="Make the demo data and print it, and do not serve.")
@json_option
@reports_errors
def demo(port: int, no_serve: bool, as_json: bool) -> None:
    """Make a practice, a member and a patient link to try everything with, and serve them on this machine."""
    from capture.demo import describe, make_demo
    from capture.serve import init_logging
    from capture.serve import serve as run

    here = {"port": port, "host": "127.0.0.1", "origin": f"http://127.0.0.1:{port}", "patient_origin": "", "surface": "both"}
    services = load_services(**here, demo=True)
    tour = make_demo(services)
    print_result(as_json, tour.to_json(), describe(tour))
    sys.stdout.flush()
    if no_serve:
        services.close()
        return
    init_logging()
    run(services, {"capture.tour": tour})


@click.command()
@click.option("--once", is_flag=True, help="Deliver what is due now, then stop.")
@reports_errors
def worker(once: bool) -> None:
    """Deliver bundles to their inboxes, until Ctrl-C."""
    import threading

    from capture.actions.deliver import deliver_next
    from capture.serve import init_logging
    from capture.worker import work

    init_logging()
    services = load_services()
    try:
        if once:
            while deliver_next(services):
                pass
        else:
            work(services, threading.Event())
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        services.close()


@click.group()
def request() -> None:
    """Ask for photos."""


@request.command("create")
@click.option("--practice", "ods", required=True, metavar="ODS", help="The practice that asks.")
@click.option("--dob", required=True, type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="The patient's date of birth.")
@click.option("--protocol", required=True, metavar="NAME", help="What to ask for: a name from config/protocols.toml.")
@click.option("--site", required=True, metavar="NAME", help="The place on the body: a name from config/sites.toml.")
@click.option("--side", type=click.Choice(["left", "right"]), help="The side, where there are two.")
@click.option("--label", default="", metavar="TEXT", help="How staff will know whose photos these are.")
@click.option("--reference", default="", metavar="TEXT", help="A reference of the practice's own.")
@click.option("--days", type=click.IntRange(1, 28), help="How long the link works.")
@json_option
@reports_errors
def create_request(
    ods: str, dob: Any, protocol: str, site: str, side: str | None, label: str, reference: str, days: int | None, as_json: bool
) -> None:
    """Issue a request and print its link, which is shown now and never again."""
    import secrets

    from capture.actions.issue_link import Draft, issue_link
    from capture.store.practices import find_practice

    services = load_services()
    try:
        with services.database.read() as db:
            practice = find_practice(db, ods)
        born: date = dob.date()
        draft = Draft(
            label, born, reference, site, side or "", protocol, days or services.settings.link_days, secrets.token_hex(16)
        )
        issued = issue_link(services, practice.id, draft, actor="operator", asked_by="the practice")
    finally:
        services.close()
    values = {"id": issued.request_id, "link": issued.link, "receipt": issued.receipt, "expires_at": issued.expires_at.isoformat()}
    print_result(as_json, values, issued.link)


@click.group()
def practice() -> None:
    """Add and list practices."""


def takes_keys(*, required: bool) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """The options for a practice's keys. The service must never hold what opens a photo, so an identity file is looked into."""
    options = (
        click.option(
            "--recipient", metavar="AGE1PQ1…", required=required, help="The staff recipient; the practice asks once it has one."
        ),
        click.option("--recovery", metavar="AGE1PQ1…", help="The offline recovery recipient."),
        click.option(
            "--identity-file", type=FILE, help="The staff identity under its passphrase (an age file), for the practice's browsers."
        ),
    )

    def add_options(command: Callable[P, None]) -> Callable[P, None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add_options


def _read_keys(recipient: str | None, recovery: str | None, identity_file: Path | None) -> dict[str, Any]:
    from capture.sealing.age import is_age
    from capture.sealing.keys import Recipient

    if identity_file and not recipient:
        raise click.UsageError("--identity-file goes with the --recipient that belongs to it.")
    file = identity_file.read_bytes() if identity_file else None
    keys = {
        "staff": Recipient.parse(recipient) if recipient else None,
        "recovery": Recipient.parse(recovery) if recovery else None,
        "identity_file": file,
    }
    if file and not is_age(file):
        raise CaptureError(f"{identity_file} is not under a passphrase.", hint="capture keygen --passphrase makes one that is")
    return keys


@practice.command("add")
@click.option("--ods", required=True, metavar="ODS", help="The practice's ODS code.")
@click.option("--name", required=True, help="The name that patients see.")
@click.option("--phone", required=True, help="The number that patients can call.")
@takes_keys(required=False)
@json_option
@reports_errors
def add_practice(
    ods: str, name: str, phone: str, recipient: str | None, recovery: str | None, identity_file: Path | None, as_json: bool
) -> None:
    """Add a practice, with its keys."""
    from capture.actions.add_practice import add_practice as add

    keys = _read_keys(recipient, recovery, identity_file)
    services = load_services()
    try:
        made = add(services, ods=ods, name=name, phone=phone, **keys)
        signer = str(services.signing_key.verifying_key)
    finally:
        services.close()
    print_result(as_json, {"id": made.id, "ods": made.ods, "signer": signer}, f"{made.ods} was added. Signer to pin: {signer}")


@practice.command("key")
@click.option("--ods", required=True, metavar="ODS", help="The practice's ODS code.")
@takes_keys(required=True)
@json_option
@reports_errors
def give_keys(ods: str, recipient: str, recovery: str | None, identity_file: Path | None, as_json: bool) -> None:
    """Give a practice that has no key its first ones."""
    from capture.actions.add_keys import add_keys

    keys = _read_keys(recipient, recovery, identity_file)
    services = load_services()
    try:
        made = add_keys(services, ods, **keys)
        signer = str(services.signing_key.verifying_key)
    finally:
        services.close()
    fingerprints = {kind: keys[kind].fingerprint for kind in ("staff", "recovery") if keys[kind]}
    lines = [f"{ods} can ask for photos now. Signer to pin: {signer}"]
    lines += [f"Fingerprint of the {kind} key: {fingerprint}" for kind, fingerprint in fingerprints.items()]
    print_result(as_json, {"id": made.id, "ods": ods, "signer": signer, "fingerprints": fingerprints}, "\n".join(lines))


@practice.command("list")
@json_option
@reports_errors
def list_practices(as_json: bool) -> None:
    """List the practices."""
    from capture.store.practices import list_practices as listed

    services = load_services()
    try:
        with services.database.read() as db:
            rows = [{"ods": row.ods, "name": row.name, "phone": row.phone} for row in listed(db)]
    finally:
        services.close()
    text = "\n".join(f"{row['ods']:<10} {row['name']}  {row['phone']}" for row in rows)
    click.echo(json.dumps(rows) if as_json else text or "There is no practice yet.")


@click.group()
def member() -> None:
    """Add members of staff."""


@member.command("add")
@click.option("--practice", "ods", required=True, metavar="ODS", help="The practice.")
@click.option("--email", required=True, help="The e-mail address to sign in with.")
@click.option("--name", required=True, help="The name that colleagues see.")
@click.option(
    "--role",
    type=click.Choice(["requester", "reader", "manager"]),
    default="manager",
    show_default=True,
    help="What the member may do: ask for photos, open them, or both.",
)
@click.option(
    "--password-file", type=click.File("r"), help="A file that holds the password (- for standard input); asked for otherwise."
)
@json_option
@reports_errors
def add_member(ods: str, email: str, name: str, role: str, password_file: Any, as_json: bool) -> None:
    """Add a member; prints the secret for an authenticator app, once."""
    from capture.actions.add_member import add_member as add

    password = (
        password_file.readline().rstrip("\n")
        if password_file
        else click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    )
    services = load_services()
    try:
        made = add(services, ods, email=email, name=name, role=role, password=password)
    finally:
        services.close()
    values = {"id": made.member_id, "authenticator_secret": made.code_secret, "otpauth": made.otpauth}
    print_result(as_json, values, f"{email} was added.\nFor the authenticator app: {made.code_secret}\n{made.otpauth}")


@click.command()
@json_option
@reports_errors
def check(as_json: bool) -> None:
    """Check the settings, keys and database, and say every problem at once."""
    from capture.check import find_problems

    findings = find_problems()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    for finding in [] if as_json else findings:
        click.echo(f"{'ok' if finding.ok else 'PROBLEM':<8} {finding.subject}: {finding.fact}")
        if finding.hint:
            click.echo(f"         hint: {finding.hint}")
    if not all(finding.ok for finding in findings):
        sys.exit(NOT_READY)
