"""Every test makes an application and a database of its own; what is compiled for one is kept for the next."""

from collections.abc import Callable
from functools import cache

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule


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


COMPILED = Compiled()


def keep_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of templates, of routes and of migrations."""
    monkeypatch.setattr(Flask, "jinja_options", {**Flask.jinja_options, "bytecode_cache": COMPILED})
    monkeypatch.setattr(Rule, "_compile_builder", builder_of)
    monkeypatch.setattr(ScriptDirectory, "from_config", scripts_of)
