"""The shape of the code: which part may know which, and what every file has (DESIGN section 5)."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "capture").rglob("*.py"))
CODE = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]
FOLDERS = {"capture", "templates", "static", "config", "translations", "tests", "docs", "bench"}
LONGEST_FILE, LONGEST_FUNCTION = 320, 60

ADAPTERS = {"domain", "photos", "sealing", "store", "inbox", "notify"}
MAY_IMPORT = {
    "errors": set[str](),
    "settings_rules": set[str](),
    "settings": {"errors", "settings_rules"},
    "outbound": {"errors"},
    "counters": set[str](),
    "bucket": {"errors", "outbound"},
    "mailbox": {"errors", "outbound"},
    "domain": {"errors"},
    "photos": {"errors"},
    "sealing": {"errors"},
    "store": {"errors", "domain", "sealing", "bucket"},
    "inbox": {"errors", "sealing", "mailbox", "bucket"},
    "notify": {"errors", "settings", "outbound"},
    "collecting": {"errors", "sealing", "mailbox", "bucket"},
    "services": {"errors", "settings", *ADAPTERS},
    "actions": {"errors", "settings", "outbound", "services", *ADAPTERS},
    "web": {"errors", "settings", "services", "counters", "actions", "demo", *ADAPTERS} - {"photos"},
    "demo": {"errors", "settings", "services", "actions", "web", *ADAPTERS} - {"photos"},
    "check": {"app", "errors", "settings", "counters", *ADAPTERS},
    "worker": {"errors", "services", "actions"},
    "app": {"errors", "bucket", "settings", "services", "web", *ADAPTERS},
    "web_server": {"settings"},
    "serve": {"errors", "settings", "services", "app", "worker", "web_server"},
    "wsgi": {"errors", "settings", "app", "serve"},
    "cli": {
        *("errors", "settings", "services", "actions", "collecting", "mailbox", "bucket"),
        *("app", "serve", "worker", "demo", "check", *ADAPTERS),
    },
    "__main__": {"cli"},
}
"""Which parts of ours each part may import. `web` and `demo` know each other for the front page; nothing else goes both ways."""

AT_HOME = {
    "flask": {"web", "app"},
    "flask_babel": {"web"},
    "babel": {"web"},
    "flask_wtf": {"web", "app"},
    "flask_limiter": {"web", "app"},
    "redis": {"counters"},
    "werkzeug": {"web", "app"},
    "jinja2": {"web", "app"},
    "waitress": {"web_server"},
    "PIL": {"photos"},
    "pillow_heif": {"photos"},
    "piexif": {"photos"},
    "alembic": {"store"},
    "boto3": {"bucket"},
    "botocore": {"bucket"},
    "mesh_client": {"mailbox"},
    "argon2": {"store"},
    "click": {"cli"},
    "cryptography": {"sealing", "store"},
    "subprocess": {"photos"},
}
"""Libraries that stay in one part. SQLAlchemy has a rule of its own below."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def part_of(path: Path) -> str:
    return path.relative_to(ROOT / "capture").parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of every import, those inside functions too; the name is empty for `import module`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from ((str(node.module), alias.name) for alias in node.names)


def parts_imported(path: Path) -> set[str]:
    """The parts of ours that a file imports, its own left out."""
    found = set()
    for module, name in imports(path):
        if module == "capture":
            found.add(name)
        elif module.startswith("capture."):
            found.add(module.split(".")[1])
    return found - {part_of(path), ""}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) != "__init__"], ids=named)
def test_imports_go_in_one_direction(path: Path) -> None:
    """web, cli → actions → domain, photos, sealing, store, inbox, notify; and those know next to nothing of each other."""
    assert parts_imported(path) <= MAY_IMPORT[part_of(path)]


def test_the_table_of_directions_has_no_circle_but_one() -> None:
    """Without `web` ↔ `demo` the allowed directions can be put in an order, so nothing leads back to where it came from."""
    left = {part: known - {"demo"} if part == "web" else set(known) for part, known in MAY_IMPORT.items()}
    while left:
        free = {part for part, known in left.items() if not known & left.keys()}
        assert free, left
        left = {part: known for part, known in left.items() if part not in free}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_libraries_stay_at_home(path: Path) -> None:
    """Flask is known in `web` and `app` alone, Pillow in `photos`, waitress in `serve`, and so on."""
    for module, _ in imports(path):
        homes = AT_HOME.get(module.split(".")[0])
        assert homes is None or part_of(path) in homes, module


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_sql_is_written_in_the_store_only(path: Path) -> None:
    """Elsewhere a session is only handed on: of SQLAlchemy nothing is imported but its type."""
    if part_of(path) != "store":
        assert {found for found in imports(path) if found[0].startswith("sqlalchemy")} <= {("sqlalchemy.orm", "Session")}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    """os.environ and os.getenv are named in settings.py and nowhere else."""
    names = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)} | {name for _, name in imports(path)}
    assert (part_of(path) == "settings") == bool(names & {"environ", "environb", "getenv", "getenvb"})


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_what_is_public_is_described(path: Path) -> None:
    """Every module, and every public class and function in it, has a docstring; but for alembic's own and empty packages."""
    if not path.read_text("utf-8").strip():
        return
    assert ast.get_docstring(tree(path)), "the module"
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize("path", [path for path in CODE if path.name.startswith("test_")], ids=named)
def test_each_test_states_its_promise(path: Path) -> None:
    """Every test opens with a sentence."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            sentence = ast.get_docstring(node) or ""
            assert len(sentence) > 20, node.name


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_files_are_read_in_one_sitting(path: Path) -> None:
    """No file of the product is longer than about 300 lines, and no function longer than about a screen."""
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef) and "migrations" not in path.parts:
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


def test_the_folders_are_those_of_the_design() -> None:
    """At the top there are the folders that the design names, and what the commands make."""
    made = {"var", "node_modules", "htmlcov"}
    found = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
    assert {name for name in found - made if not name.endswith(".egg-info")} == FOLDERS


def test_nothing_is_called_utils() -> None:
    """Modules are named after what they hold."""
    assert not {path.stem for path in CODE} & {"utils", "helpers", "common", "misc", "util"}


def test_every_part_has_its_line() -> None:
    """The table above names every part that there is, and no other."""
    assert {part_of(path) for path in MODULES} - {"__init__"} == set(MAY_IMPORT)
