"""Where `capture collect` collects from: what its options mean."""

import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from capture.errors import CaptureError, SettingsError


def source_of(
    *,
    server: str | None,
    origin: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    settings_file: Path | None,
    endpoint: str | None,
    region: str | None,
    delete: bool,
) -> Any:
    """The Source of --server or --from. UsageError where options do not go together; CaptureError where one is not right."""
    if bool(server) == bool(origin):
        raise click.UsageError("Give --server, or --from and where the bundles are instead.")
    if server:
        return _api(server, token_file, ca_file)
    place = urlsplit(origin or "")
    if place.scheme == "mesh" and place.netloc:
        return _mesh(place.netloc, settings_file)
    if place.scheme == "s3" and place.netloc:
        given = {"bucket": place.netloc, "endpoint": endpoint, "region": region, "ca_file": ca_file and str(ca_file.resolve())}
        return _bucket({word: value for word, value in given.items() if value}, place.path[1:], settings_file, delete)
    raise click.UsageError("--from is mesh:// and a mailbox, or s3:// and a bucket.")


def _api(server: str, token_file: Path | None, ca_file: Path | None) -> Any:
    from capture.collecting.api import ApiSource
    from capture.domain.tokens import is_token

    if not token_file:
        raise click.UsageError("--server needs --token-file.")
    token, *_ = token_file.read_text("utf-8", "replace").split() or [""]
    if not is_token(token):
        raise CaptureError(
            f"{token_file} holds no token.", hint="its first line is the token, capture_…; Practice, Tokens makes one"
        )
    return ApiSource(server, token, ca_file)


def _mesh(mailbox: str, settings_file: Path | None) -> Any:
    from capture.collecting.mesh import MeshSource
    from capture.inbox.mesh import read_account
    from capture.inbox.options import Options
    from capture.mailbox import Mailbox

    if not settings_file:
        raise click.UsageError("--from mesh:// needs --settings-file.")
    problems = list[str]()
    options = Options(settings_file.name, _toml(settings_file), settings_file.parent, problems)
    account, workflow = read_account(options, mailbox)
    options.leftover()
    if problems:
        raise SettingsError(problems, hint="docs/collecting.md lists what the file holds")
    return MeshSource(Mailbox(account), workflow)


def _bucket(given: dict[str, Any], prefix: str, settings_file: Path | None, delete: bool) -> Any:
    from capture.bucket.words import read_bucket
    from capture.collecting.bucket import BucketSource
    from capture.inbox.options import Options

    problems, facts = list[str](), _toml(settings_file) if settings_file else {}
    folder = settings_file.parent if settings_file else Path()
    options = Options(given["bucket"], {**facts, **given}, folder, problems)
    bucket = read_bucket(options, prefix)
    options.leftover()
    if problems:
        raise SettingsError(problems, hint="docs/collecting.md lists what there is")
    return BucketSource(bucket, delete=delete)


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError([f"{file} cannot be read: {error}"], hint="docs/collecting.md shows one") from None
