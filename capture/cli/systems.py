"""The commands with which an operator lets a practice's other systems in: tokens for the API, and webhooks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from capture.cli.output import json_option, print_result, reports_errors
from capture.cli.service import load_services
from capture.domain.tokens import LONGEST_DAYS, SCOPES, USUAL_DAYS

ACTOR = "operator"
of_practice = click.option("--ods", required=True, metavar="ODS", help="The practice's ODS code.")


@contextmanager
def _of_practice(ods: str) -> Iterator[tuple[Any, str]]:
    """The services and the practice's id."""
    from capture.store.practices import find_practice

    services = load_services()
    try:
        with services.database.read() as db:
            practice_id = find_practice(db, ods).id
        yield services, practice_id
    finally:
        services.close()


@click.group()
def token() -> None:
    """Make, list and revoke a practice's tokens for the API."""


@token.command("add")
@of_practice
@click.option("--name", required=True, help="Which system the token is for.")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(list(SCOPES)), help="What it may do.")
@click.option(
    "--days", type=click.IntRange(1, LONGEST_DAYS), default=USUAL_DAYS, show_default=True, help="For how many days it works."
)
@json_option
@reports_errors
def add_token(ods: str, name: str, scopes: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make a token and print it, now and never again."""
    from capture.actions.tokens import issue_token

    with _of_practice(ods) as (services, practice_id):
        made, text = issue_token(services, practice_id, name=name, scopes=scopes, days=days, actor=ACTOR)
    values = {"id": made.id, "token": text, "scopes": made.scopes.split(), "expires_at": made.expires_at.isoformat()}
    print_result(as_json, values, text)


@token.command("list")
@of_practice
@json_option
@reports_errors
def list_tokens(ods: str, as_json: bool) -> None:
    """List a practice's tokens: what each may do, until when, and when it was last used."""
    from capture.store import tokens

    with _of_practice(ods) as (services, practice_id), services.database.read() as db:
        now, found = services.clock(), tokens.list_tokens(db, practice_id)
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "scopes": one.scopes.split(),
            "state": "works" if one.is_live(now) else "revoked" if one.revoked_at else "over",
            "expires_at": one.expires_at.isoformat(),
            "used_at": one.used_at.isoformat() if one.used_at else None,
        }
        for one in found
    ]
    lines = [
        f"{one.id}  {row['state']:<8} until {one.expires_at:%Y-%m-%d}, "
        f"last used {f'{one.used_at:%Y-%m-%d}' if one.used_at else 'never'}  {one.name} ({one.scopes})"
        for one, row in zip(found, rows, strict=True)
    ]
    click.echo(json.dumps(rows) if as_json else "\n".join(lines) or "There is no token yet.")


@token.command("revoke")
@of_practice
@click.option("--id", "token_id", required=True, metavar="ID", help="The token's id, as `list` shows it.")
@json_option
@reports_errors
def end_token(ods: str, token_id: str, as_json: bool) -> None:
    """End a token at once, for good."""
    from capture.actions.tokens import revoke_token

    with _of_practice(ods) as (services, practice_id):
        revoke_token(services, practice_id, token_id, actor=ACTOR)
    print_result(as_json, {"id": token_id, "state": "revoked"}, "The token opens nothing any more.")


@click.group()
def webhook() -> None:
    """Add, list and remove the addresses at which a practice's systems are told when a request moves on."""


@webhook.command("add")
@of_practice
@click.option("--url", required=True, metavar="https://…", help="The address to post to.")
@json_option
@reports_errors
def add_webhook(ods: str, url: str, as_json: bool) -> None:
    """Add an address and print the secret that its receiver checks signatures with, now and never again."""
    from capture.actions.webhooks import add_webhook as add

    with _of_practice(ods) as (services, practice_id):
        made, secret = add(services, practice_id, url, actor=ACTOR)
    print_result(as_json, {"id": made.id, "url": made.url, "secret": secret}, secret)


@webhook.command("list")
@of_practice
@json_option
@reports_errors
def list_webhooks(ods: str, as_json: bool) -> None:
    """List a practice's webhooks."""
    from capture.store import webhooks

    with _of_practice(ods) as (services, practice_id), services.database.read() as db:
        found = webhooks.list_webhooks(db, practice_id)
    rows = [{"id": one.id, "url": one.url, "state": "paused" if one.paused_at else "on"} for one in found]
    text = "\n".join(f"{row['id']}  {row['state']:<6}  {row['url']}" for row in rows)
    click.echo(json.dumps(rows) if as_json else text or "There is no webhook yet.")


@webhook.command("renew")
@of_practice
@click.option("--id", "webhook_id", required=True, metavar="ID", help="The webhook's id, as `list` shows it.")
@json_option
@reports_errors
def renew_secret(ods: str, webhook_id: str, as_json: bool) -> None:
    """Make a new secret and print it; for a day the old one signs too."""
    from capture.actions.webhooks import renew_secret as renew

    with _of_practice(ods) as (services, practice_id):
        secret = renew(services, practice_id, webhook_id, actor=ACTOR)
    print_result(as_json, {"id": webhook_id, "secret": secret}, secret)


@webhook.command("remove")
@of_practice
@click.option("--id", "webhook_id", required=True, metavar="ID", help="The webhook's id, as `list` shows it.")
@json_option
@reports_errors
def remove_webhook(ods: str, webhook_id: str, as_json: bool) -> None:
    """Remove a webhook, and forget what was on its way to it."""
    from capture.actions.webhooks import remove_webhook as remove

    with _of_practice(ods) as (services, practice_id):
        remove(services, practice_id, webhook_id, actor=ACTOR)
    print_result(as_json, {"id": webhook_id, "state": "removed"}, "Nothing is sent there any more.")
