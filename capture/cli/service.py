"""The commands that run this machine's service, check it, and ask through it."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import click

from capture.cli.output import NOT_READY, json_option, print_result, reports_errors
from capture.cli.signals import ended_at_once, stopped_by_signals


def load_services(overrides: Mapping[str, Any] | None = None, *, sends: bool | None = None, restoring: bool = False) -> Any:
    """The services of this machine's settings; imported late, so that `--help` is quick.

    `sends`: whether this process opens the secrets of inboxes, as the settings say of the worker unless it is given; with
    `restoring` no database is made and no key.
    """
    from capture.app import make_services
    from capture.settings import load_settings

    os.umask(0o077)  # whatever is written is for this user only
    settings = load_settings(**(overrides or {}))
    return make_services(settings, sends=settings.worker if sends is None else sends, restoring=restoring)


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), help="Listen on this port instead of the one in the settings.")
@reports_errors
def serve(port: int | None) -> None:
    """Serve the pages, with a worker inside unless the settings say otherwise, until Ctrl-C or SIGTERM."""
    with stopped_by_signals() as stop:
        from capture.serve import init_logging
        from capture.serve import serve as run

        init_logging()
        with ended_at_once():
            services = load_services({} if port is None else {"port": port})
        run(services, stop)


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8000, show_default=True, help="Listen on this port of this machine."
)
@click.option("--no-serve", is_flag=True, help="Make the demo data and print it, and do not serve.")
@json_option
@reports_errors
def demo(port: int, no_serve: bool, as_json: bool) -> None:
    """Make a practice, a member and a patient link to try everything with, and serve them on this machine."""
    here = {"port": port, "host": "127.0.0.1", "origin": f"http://127.0.0.1:{port}", "patient_origin": "", "surface": "both"}
    with stopped_by_signals() as stop:
        from capture.demo import describe, make_demo
        from capture.serve import init_logging
        from capture.serve import serve as run

        with ended_at_once():
            services = load_services({**here, "demo": True})
        tour = make_demo(services)
        print_result(as_json, tour.to_json(), describe(tour))
        sys.stdout.flush()
        if no_serve:
            services.close()
            return
        init_logging()
        run(services, stop, {"capture.tour": tour})


@click.command()
@click.option("--once", is_flag=True, help="Deliver and send what is due now, then stop.")
@reports_errors
def worker(once: bool) -> None:
    """Deliver bundles to their inboxes, send messages and webhooks, until Ctrl-C or SIGTERM."""
    with stopped_by_signals() as stop:
        from capture.actions.deliver import deliver_next
        from capture.actions.send_message import send_next
        from capture.actions.send_webhooks import send_webhook
        from capture.serve import init_logging
        from capture.worker import work

        init_logging()
        with ended_at_once():
            services = load_services(sends=True)
        try:
            if once:
                while not stop.is_set() and (deliver_next(services) or send_next(services) or send_webhook(services)):
                    pass
            else:
                work(services, stop)
        finally:
            services.close()
    if stop.is_set():
        click.echo("stopped", err=True)


@click.group()
def request() -> None:
    """Ask for photos."""


@request.command("create")
@click.option("--practice", "ods", required=True, metavar="ODS", help="The practice that asks.")
@click.option("--dob", required=True, type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="The patient's date of birth.")
@click.option("--protocol", required=True, metavar="NAME", help="What to ask for: a name from config/protocols.toml.")
@click.option(
    "--follows", default="", metavar="RECEIPT", help="With --protocol follow-up: the receipt of the request to ask again."
)
@click.option(
    "--site", default="", metavar="NAME", help="The place on the body: a name from config/sites.toml; a follow-up has it."
)
@click.option("--side", type=click.Choice(["left", "right"]), help="The side, where there are two.")
@click.option("--label", default="", metavar="TEXT", help="How staff will know whose photos these are.")
@click.option("--reference", default="", metavar="TEXT", help="A reference of the practice's own.")
@click.option("--days", type=click.IntRange(1, 28), help="How long the link works.")
@json_option
@reports_errors
def create_request(ods: str, dob: Any, days: int | None, side: str | None, as_json: bool, **asked: str) -> None:
    """Issue a request and print its link, which is shown now and never again."""
    import secrets

    from capture.actions.issue_link import Draft, issue_link
    from capture.store.practices import find_practice

    services = load_services()
    try:
        with services.database.read() as db:
            practice = find_practice(db, ods)
        born: date = dob.date()
        days = days or services.settings.link_days
        draft = Draft(date_of_birth=born, side=side or "", days=days, key=secrets.token_hex(16), **asked)
        issued = issue_link(services, practice.id, draft, actor="operator", asked_by="the practice")
    finally:
        services.close()
    values = {"id": issued.request_id, "link": issued.link, "receipt": issued.receipt, "expires_at": issued.expires_at.isoformat()}
    print_result(as_json, values, issued.link)


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
