"""The commands for who uses this machine's service: practices, their keys and choices, their members."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from capture.cli.output import FILE, P, json_option, print_result, reports_errors
from capture.cli.service import load_services
from capture.errors import CaptureError


@click.group()
def practice() -> None:
    """Add, set and list practices."""


def takes_keys() -> Callable[[Callable[P, None]], Callable[P, None]]:
    """The options for a practice's keys. The service must never hold what opens a photo, so an identity file is looked into."""
    options = (
        click.option("--recipient", metavar="AGE1PQ1…", help="The staff recipient."),
        click.option("--recovery", metavar="AGE1PQ1…", help="The offline recovery recipient: a practice needs both."),
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
@takes_keys()
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
@takes_keys()
@json_option
@reports_errors
def give_keys(ods: str, recipient: str | None, recovery: str | None, identity_file: Path | None, as_json: bool) -> None:
    """Give a practice that never asked its first keys, or the one that it lacks; `practice prove` comes next."""
    from capture.actions.add_keys import add_keys

    if not (recipient or recovery):
        raise click.UsageError("Give --recipient, --recovery or both.")
    keys = _read_keys(recipient, recovery, identity_file)
    services = load_services()
    try:
        made = add_keys(services, ods, **keys)
        signer = str(services.signing_key.verifying_key)
    finally:
        services.close()
    fingerprints = {kind: keys[kind].fingerprint for kind in ("staff", "recovery") if keys[kind]}
    lines = [f"{ods} can ask for photos once its keys are proved (capture practice prove). Signer to pin: {signer}"]
    lines += [f"Fingerprint of the {kind} key: {fingerprint}" for kind, fingerprint in fingerprints.items()]
    print_result(as_json, {"id": made.id, "ods": ods, "signer": signer, "fingerprints": fingerprints}, "\n".join(lines))


@practice.command("set")
@click.option("--ods", required=True, metavar="ODS", help="The practice's ODS code.")
@click.option(
    "--intimate",
    type=click.Choice(["on", "off"]),
    required=True,
    help="Whether adults may be asked for photos of intimate places; nobody under 18 ever is.",
)
@json_option
@reports_errors
def set_practice(ods: str, intimate: str, as_json: bool) -> None:
    """Set what a practice may ask for, from now on."""
    from capture.actions.allow_intimate import allow_intimate

    services = load_services()
    try:
        allow_intimate(services, ods, intimate == "on")
    finally:
        services.close()
    who = "may be asked of adults, never of anyone under 18" if intimate == "on" else "are not asked for"
    print_result(as_json, {"ods": ods, "intimate": intimate}, f"{ods}: photos of intimate places {who}.")


@practice.command("list")
@json_option
@reports_errors
def list_practices(as_json: bool) -> None:
    """List the practices."""
    from capture.store.practices import list_practices as listed

    services = load_services()
    try:
        with services.database.read() as db:
            rows = [
                {"ods": row.ods, "name": row.name, "phone": row.phone, "intimate": "on" if row.intimate_allowed else "off"}
                for row in listed(db)
            ]
    finally:
        services.close()
    text = "\n".join(
        f"{row['ods']:<10} {row['name']}  {row['phone']}{'  intimate places on' * (row['intimate'] == 'on')}" for row in rows
    )
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
