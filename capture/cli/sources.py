"""Where `capture collect` collects from: what its options mean."""

import tomllib
from pathlib import Path
from typing import Any

import click

from capture.errors import CaptureError, SettingsError

_TAKES = {
    "--server": ("token_file", "ca_file"),
    "--from mesh://": ("settings_file",),
    "--from s3://": ("settings_file", "ca_file", "endpoint", "region", "delete"),
}
"""Which options each place has; another would change nothing."""


def source_of(*, server: str | None, origin: str | None, **options: Any) -> Any:
    """The Source of --server or --from. UsageError where options do not go together; CaptureError where one is not right."""
    if bool(server) == bool(origin):
        raise click.UsageError("Give --server, or --from and where the bundles are instead.")
    scheme, _, place = (origin or "").partition("://")
    name, _, prefix = place.partition("/")
    kind = "--server" if server else f"--from {scheme}://"
    if kind not in _TAKES or not (server or name) or (scheme == "mesh" and prefix):
        raise click.UsageError("--from is mesh:// and a mailbox, or s3://, a bucket and a prefix.")
    given = {option: value for option, value in options.items() if value}
    for option in given:
        if option not in _TAKES[kind]:
            raise click.UsageError(f"{kind} takes no --{option.replace('_', '-')}.")
    if server:
        return _api(server, **given)
    return _mesh(name, **given) if scheme == "mesh" else _bucket(name, prefix, **given)


def _api(server: str, token_file: Path | None = None, ca_file: Path | None = None) -> Any:
    from capture.collecting.api import ApiSource
    from capture.domain.tokens import is_token

    if not token_file:
        raise click.UsageError("--server needs --token-file.")
    token, *_ = token_file.read_text("utf-8-sig", "replace").split() or [""]
    if not is_token(token):
        raise CaptureError(
            f"{token_file} holds no token.", hint="its first line is the token, capture_…; Practice, Tokens makes one"
        )
    return ApiSource(server, token, ca_file)


def _mesh(mailbox: str, settings_file: Path | None = None) -> Any:
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


def _bucket(name: str, prefix: str, settings_file: Path | None = None, delete: bool = False, **given: Any) -> Any:
    from capture.bucket.words import read_bucket
    from capture.collecting.bucket import BucketSource
    from capture.inbox.options import Options

    problems, facts = list[str](), _toml(settings_file) if settings_file else {}
    folder = settings_file.parent if settings_file else Path()
    if "ca_file" in given:
        given["ca_file"] = str(given["ca_file"].resolve())
    options = Options(name, {**facts, **given, "bucket": name}, folder, problems)
    bucket = read_bucket(options, prefix)
    options.leftover()
    if problems:
        raise SettingsError(problems, hint="docs/collecting.md lists what there is")
    return BucketSource(bucket, delete=delete)


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError([f"{file} cannot be read: {error}"], hint="docs/collecting.md shows one") from None
