"""Where the adapters are chosen and the Flask application is made; nothing else does either."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, g
from flask_wtf.csrf import CSRFProtect
from jinja2 import ChainableUndefined, ChoiceLoader, FileSystemLoader, PackageLoader
from werkzeug.middleware.proxy_fix import ProxyFix
from whitenoise import WhiteNoise

from capture.domain.openid import load_providers
from capture.domain.presets import load_presets
from capture.domain.protocols import load_catalogue
from capture.domain.quality import load_thresholds
from capture.domain.scrubbing import BEGIN, END
from capture.errors import SettingsError
from capture.inbox import load_inboxes
from capture.inbox.options import Options
from capture.notify import choose_messengers
from capture.notify.webhooks import Webhooks
from capture.photos import Cleaner
from capture.photos.arriving import Arriving
from capture.sealing.keys import SigningKey
from capture.services import Services
from capture.settings import ROOT, Settings
from capture.store.blobs import BlobStore, FolderBlobs, begin_store
from capture.store.database import Database, database_exists
from capture.store.journal import Journal
from capture.store.scrubbing import next_parts
from capture.store.vault import check_private, load_vault, make_folder
from capture.web import (
    IdConverter,
    account,
    api,
    bundles,
    callbacks,
    downloads,
    errors,
    joining,
    key_changes,
    keys,
    languages,
    members,
    openid,
    ops,
    patient,
    practice,
    security,
    sign_in,
    staff,
    tokens,
    tus,
    unlockers,
    webhooks,
)
from capture.web.limits import CHUNK_TYPE, init_limits, takes_upload

SERVICE_NAME = "Photos for your GP"
ASSET_AGE = 31_536_000
WEBHOOK_SECONDS = 10.0
"""How long one try of a webhook may take."""


def now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def make_services(
    settings: Settings, *, clock: Callable[[], datetime] = now, restoring: bool = False, sends: bool = True
) -> Services:
    """Open the data folder and the database, bring the schema up to date, choose the adapters.

    With `restoring` nothing is made: the keys must be there, the database and the journal stay as they are. Without `sends` the
    secrets of inboxes outside are not opened: only a worker needs them.
    Raises SettingsError when keys are missing that the database depends on, Unavailable when it does not answer.
    """
    catalogue, thresholds = load_catalogue(ROOT / "config"), load_thresholds(ROOT / "config" / "quality.toml")
    presets = load_presets(ROOT / "config" / "presets.toml")
    make_folder(settings.var)
    check_private(settings.var)
    there = database_exists(settings.database)
    fresh = not (restoring or there)
    vault = load_vault(settings.keys, may_create=fresh)
    signing_key = _signing_key(settings, may_create=fresh)
    journal = Journal(settings.journal_file, vault)
    database = Database(settings.database, vault, journal)
    if not restoring:
        database.migrate()
        journal.begin(clock())
    blobs = choose_blobs(settings)
    if not settings.blobs:
        begin_store(settings.var / "blobs", is_new=not there or not (restoring or _has_parts(database)))
    return Services(
        settings=settings,
        catalogue=catalogue,
        thresholds=thresholds,
        presets=presets,
        vault=vault,
        signing_key=signing_key,
        database=database,
        journal=journal,
        blobs=blobs,
        cleaner=Cleaner(workers=settings.cleaners),
        arriving=Arriving(memory=settings.upload_memory, lifetime=timedelta(minutes=settings.upload_minutes), clock=clock),
        inboxes=load_inboxes(_file(settings.inboxes), sends=sends),
        messengers=choose_messengers(settings),
        webhooks=Webhooks(settings.webhook_networks, _file(settings.webhook_ca_file), WEBHOOK_SECONDS),
        providers=load_providers(ROOT / settings.openid if settings.openid else None),
        clock=clock,
    )


def _has_parts(database: Database) -> bool:
    with database.read() as db:
        return bool(next_parts(db, BEGIN, END, 1))


def choose_blobs(settings: Settings) -> BlobStore:
    """Where sealed parts lie; SettingsError where the setting names no bucket as docs/settings.md says."""
    if not settings.blobs:
        return FolderBlobs(settings.var / "blobs", marked=True)

    from capture.bucket.words import read_bucket
    from capture.store.blobs_s3 import S3Blobs, words_of

    problems: list[str] = []
    prefix, words = words_of(settings.blobs)
    options = Options("blobs", words, ROOT, problems, kind="setting")
    bucket = read_bucket(options, prefix)
    options.leftover()
    if problems:
        raise SettingsError(problems, hint="docs/settings.md shows how a bucket is written")
    return S3Blobs(bucket)


def create_app(services: Services) -> Flask:
    """The application for the surface that the settings name."""
    settings = services.settings
    app = Flask("capture", static_folder=str(ROOT / "static"), template_folder=str(ROOT / "templates"))
    app.config.update(
        SECRET_KEY=services.vault.derive("cookies"),
        SESSION_COOKIE_NAME=security.cookie_name(settings, "form"),
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # a form lives as long as its browser: patients take hours
        WTF_CSRF_SSL_STRICT=False,  # the referrer is never sent; security.py looks at the origin
    )
    app.extensions["capture.services"] = services
    app.url_map.converters["id"] = IdConverter
    _init_templates(app)
    languages.init_languages(app, settings)
    security.init_security(app, settings)
    ops.init_log(app)
    takes_upload(app, "patient.send_photo")
    takes_upload(app, "tus.append", CHUNK_TYPE)
    limiter = init_limits(app, settings)
    csrf = CSRFProtect(app)
    errors.init_errors(app)
    app.register_blueprint(ops.blueprint)
    if settings.surface != "staff":
        app.register_blueprint(callbacks.blueprint)
        csrf.exempt(callbacks.blueprint)  # a bearer token takes its place
        app.register_blueprint(patient.blueprint)
        app.register_blueprint(tus.blueprint)
    if settings.surface != "patient":
        app.register_blueprint(sign_in.blueprint)
        app.register_blueprint(account.blueprint)
        app.register_blueprint(joining.blueprint)
        app.register_blueprint(openid.blueprint)
        app.register_blueprint(members.blueprint)
        app.register_blueprint(practice.blueprint)
        app.register_blueprint(keys.blueprint)
        app.register_blueprint(key_changes.blueprint)
        app.register_blueprint(unlockers.blueprint)
        app.register_blueprint(staff.blueprint)
        app.register_blueprint(bundles.blueprint)
        app.register_blueprint(downloads.blueprint)
        app.register_blueprint(tokens.blueprint)
        app.register_blueprint(webhooks.blueprint)
        app.register_blueprint(api.blueprint)
        csrf.exempt(api.blueprint)  # a token in a header is sent by no browser on its own
        sign_in.init_rates(app, limiter)
        api.init_rates(app, limiter)
    app.wsgi_app = _with_assets(app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0)  # type: ignore[method-assign]
    return app


def _with_assets(app: Flask) -> WhiteNoise:
    """Style, script and drawings before the application, compressed as the build made them; their addresses carry their hash."""
    if not (ROOT / "static" / "build" / "capture.css").exists():
        raise SettingsError(["the style and script of the pages are not built"], hint="make setup")
    assets = WhiteNoise(app.wsgi_app, max_age=ASSET_AGE, allow_all_origins=False, add_headers_function=security.set_asset_headers)
    for folder in ("build", "img"):
        assets.add_files(str(ROOT / "static" / folder), f"static/{folder}/")
    return assets


def _init_templates(app: Flask) -> None:
    tidy = {"undefined": ChainableUndefined, "autoescape": True, "trim_blocks": True, "lstrip_blocks": True}
    app.jinja_options = {**app.jinja_options, **tidy}
    app.jinja_loader = ChoiceLoader([FileSystemLoader(ROOT / "templates"), PackageLoader("nhsuk_frontend_jinja")])
    app.jinja_env.globals["service_name"] = SERVICE_NAME

    @app.context_processor
    def shared() -> dict[str, Any]:
        return {"demo": app.extensions["capture.services"].settings.demo, "practice": g.get("practice")}

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "v" not in values:
            values["v"] = _version(ROOT / "static" / values["filename"])


@cache
def _version(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else "none"


def _file(name: str) -> Path | None:
    return ROOT / name if name else None


def _signing_key(settings: Settings, *, may_create: bool) -> SigningKey:
    path = settings.keys / "signing.key"
    if may_create and not path.exists():
        with suppress(FileExistsError):  # another process starts at the same moment: its key is the one
            SigningKey.generate().save(path)
    return SigningKey.load(path)
