"""Every test makes an application and a database of its own; what is compiled or read for one is kept for the next."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule
from whitenoise import WhiteNoise

from capture.domain.protocols import load_catalogue


class Compiled(BytecodeCache):
    """What templates compile to, by their source."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        kept = self.kept.get((bucket.key, bucket.checksum))
        if kept:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


BUILDERS: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}
make_builder = Rule._compile_builder


def builder_of(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """What puts an address together: werkzeug compiles it from these alone, and calls it with the rule."""
    key = (rule.rule, rule.subdomain, rule.host, tuple((rule.defaults or {}).items()), append_unknown)
    if key not in BUILDERS:
        BUILDERS[key] = make_builder(rule, append_unknown)
    return BUILDERS[key]


@cache
def scripts_in(folder: str) -> ScriptDirectory:
    return ScriptDirectory(folder)


def scripts_of(config: Config) -> ScriptDirectory:
    """The migrations, read once."""
    return scripts_in(config.get_main_option("script_location") or "")


STATEMENTS: LRUCache[Any, Any] = LRUCache(500)


def engine_of(url: str, **options: Any) -> Engine:
    """An engine that finds the SQL of statements that another one of its kind has compiled."""
    engine = create_engine(url, **options)
    engine._compiled_cache = STATEMENTS
    return engine


ASSETS: dict[tuple[str, str], dict[str, Any]] = {}
find_files = WhiteNoise.add_files


def add_files(assets: WhiteNoise, root: str, prefix: str) -> None:
    """The assets in that folder, looked for once."""
    if (root, prefix) not in ASSETS:
        before = dict(assets.files)
        find_files(assets, root, prefix)
        ASSETS[root, prefix] = {address: file for address, file in assets.files.items() if address not in before}
    assets.files.update(ASSETS[root, prefix])


COMPILED = Compiled()
catalogue_in = cache(load_catalogue)


def keep_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of templates, routes, migrations and statements; and what is read of assets and of the catalogue."""
    monkeypatch.setattr("capture.app.load_catalogue", catalogue_in)
    monkeypatch.setattr("capture.store.database.create_engine", engine_of)
    monkeypatch.setattr(DefaultDialect, "__eq__", lambda one, other: type(one) is type(other))
    monkeypatch.setattr(DefaultDialect, "__hash__", lambda one: hash(type(one)))
    monkeypatch.setattr(WhiteNoise, "add_files", add_files)
    monkeypatch.setattr(Flask, "jinja_options", {**Flask.jinja_options, "bytecode_cache": COMPILED})
    monkeypatch.setattr(Rule, "_compile_builder", builder_of)
    monkeypatch.setattr(ScriptDirectory, "from_config", scripts_of)
