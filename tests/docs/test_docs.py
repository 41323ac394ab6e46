"""What the documents say is what the code does: settings, commands, errors, dependencies, links and the threat model's evidence."""

import ast
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click
import pytest

from capture import errors
from capture.cli import main
from capture.photos import REFUSALS
from capture.settings import RANGES, ROOT, Settings

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
THREATS = ROOT / "docs" / "threat-model.md"


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def rows(name: str) -> dict[str, list[str]]:
    """The rows of a page's tables, as cells, by what stands in backquotes in the first one."""
    found = {}
    for line in read(name).splitlines():
        if match := re.match(r"\| `([^`]+)`", line):
            found[match[1]] = [cell.strip() for cell in line.strip("|").split("|")]
    return found


def commands(command: click.Command = main, path: tuple[str, ...] = ("capture",)) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its full name."""
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    for name, child in command.commands.items():
        yield from commands(child, (*path, name))


COMMANDS = dict(commands())


def section(name: str) -> str:
    """What docs/commands.md says of one command."""
    _, _, after = read("docs/commands.md").partition(f"### {name}\n")
    return re.split(r"^##", after, flags=re.M)[0]


def error_classes(root: type[errors.CaptureError] = errors.CaptureError) -> Iterator[type[errors.CaptureError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == "capture.errors":
            yield from error_classes(child)


def raised_codes() -> set[str]:
    """Every code given where an error is raised: `code=` of a call, or the first argument of `_refuse`."""
    codes: set[str] = set()
    for path in ROOT.glob("capture/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                given: list[ast.expr] = [word.value for word in node.keywords if word.arg == "code"]
                if isinstance(node.func, ast.Name) and node.func.id == "_refuse":
                    given += node.args[:1]
                texts = [part for value in given for part in ast.walk(value) if isinstance(part, ast.Constant)]
                codes |= {text.value for text in texts if isinstance(text.value, str)}
    return codes


def fenced_commands() -> Iterator[tuple[str, str]]:
    """Every `capture …` line of a fenced block, as (page, line)."""
    for page in PAGES:
        for language, block in re.findall(r"^```([^\n]*)\n(.*?)^```", page.read_text("utf-8"), flags=re.M | re.S):
            for line in block.replace("\\\n", " ").splitlines() if language in {"", "sh"} else ():
                if match := re.search(r"(?:^|\| )(capture [a-z].*?)(?: \| |$)", line):
                    yield page.name, match[1]


def test_settings_are_documented() -> None:
    """Every setting stands in docs/settings.md with its variable, its default and its limits, and no other does."""
    found = rows("docs/settings.md")
    defaults = tomllib.loads(read("config/capture.toml"))
    for field in fields(Settings):
        cells = found.pop(field.name)
        assert cells[1] == f"`CAPTURE_{field.name.upper()}`"
        default = defaults.get(field.name, None if field.default is MISSING else field.default)
        if default is not None:
            shown = str(default).lower() if isinstance(default, bool) else f"{default:,}" if isinstance(default, int) else default
            shown = ", ".join(default) if isinstance(default, list) else shown
            assert cells[2].strip("`") in {shown, str(default)}, field.name
        for limit in RANGES.get(field.name, ()):
            assert f"{limit:,}" in cells[4], field.name
    assert not [name for name, cells in found.items() if cells[1].startswith("`CAPTURE_")]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_is_documented(name: str) -> None:
    """Every command has a section in docs/commands.md that names every option, no other, and shows an example."""
    text = section(name)
    options = {
        option
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option != "--help"
    }
    listed = {
        option for line in text.splitlines() if line.startswith("| `-") for option in re.findall(r"`(-[^`]+)`", line.split("|")[1])
    }
    assert listed == options
    assert f"```sh\n{name}" in text


def test_no_command_is_invented() -> None:
    """docs/commands.md has a section for commands that are there and for no other."""
    assert sorted(re.findall(r"^### (.+)$", read("docs/commands.md"), flags=re.M)) == sorted(COMMANDS)


@pytest.mark.parametrize(("page", "line"), sorted(set(fenced_commands())))
def test_example_is_a_command(page: str, line: str) -> None:
    """Every `capture …` line in a page parses: the command and its options are there, and what is required is given."""
    words = shlex.split(line.partition("   #")[0].partition(" > ")[0])[1:]
    command: click.Command = main
    context = click.Context(main, info_name="capture")
    while isinstance(command, click.Group):
        word = words.pop(0)
        assert word in command.commands, f"{page}: capture has no command {word}"
        command = command.commands[word]
        context = click.Context(command, parent=context, info_name=word)
    given: dict[str, Any] = command.make_parser(context).parse_args(words)[0]
    missing = [
        parameter.name for parameter in command.params if parameter.required and given.get(parameter.name or "") in (None, (), [])
    ]
    assert not missing, f"{page}: {missing}"


def test_examples_are_found() -> None:
    """The search for commands in pages finds those of the pages that have them."""
    found = {page for page, _ in fenced_commands()}
    assert {"commands.md", "running.md", "FORMAT.md"} <= found


def test_exit_codes_are_documented() -> None:
    """The exit codes of docs/commands.md are those of `capture --help`."""
    listed = set(re.findall(r"^\| (\d) \|", read("docs/commands.md"), flags=re.M))
    assert listed == set(re.findall(r"\b(\d) [a-z]", main.epilog or ""))


@pytest.mark.parametrize("kind", list(error_classes()))
def test_error_class_is_documented(kind: type[errors.CaptureError]) -> None:
    """Every error class stands in docs/errors.md with its code, its status and its sentence."""
    cells = rows("docs/errors.md")[kind.__name__]
    assert cells[1:3] == [f"`{kind.code}`", str(kind.status)]
    assert cells[3] == kind.sentence or kind is errors.SettingsError


def test_refusals_are_documented() -> None:
    """Every reason to refuse a photo stands in docs/errors.md with its sentence."""
    found = rows("docs/errors.md")
    assert {code: found[code][1] for code in REFUSALS} == REFUSALS


def test_raised_codes_are_documented() -> None:
    """Every code that is given where an error is raised stands in docs/errors.md."""
    codes = raised_codes()
    assert {"bundle-signature", "age-mac", "no-space", "no-photo"} <= codes
    assert codes <= set(rows("docs/errors.md")) | {kind.code for kind in error_classes()}


def test_dependencies_are_documented() -> None:
    """Every direct dependency has a row in docs/dependencies.md, and every row a dependency; with what for, licence and state."""
    project = tomllib.loads(read("pyproject.toml"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[\[>=<~!;]", line)[0].strip() for line in wanted}
    package = json.loads(read("package.json"))
    names |= set(package["dependencies"]) | set(package["devDependencies"])
    found = rows("docs/dependencies.md")
    assert set(found) == names
    assert all(len(cells) == 5 and cells[1] and cells[3] and cells[4] for cells in found.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file of this project, and every heading that it names is there."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.is_file(), target
        assert file.is_relative_to(ROOT), target
        slugs = {
            re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-")
            for line in re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.M)
        }
        assert not heading or heading in slugs, target


def threats() -> Iterator[tuple[int, list[str]]]:
    for line in THREATS.read_text("utf-8").splitlines():
        if match := re.match(r"\| (\d+) \|", line):
            yield int(match[1]), [cell.strip() for cell in line.strip("|").split("|")]


def test_threat_model_is_whole() -> None:
    """SECURITY 44: the threat model has one row for each of the 44 promises, each with a state."""
    found = list(threats())
    assert [number for number, _ in found] == list(range(1, 45))
    assert all(re.match("kept|not yet|nothing", cells[2]) for _, cells in found)


def test_threat_model_names_code_that_is_there() -> None:
    """SECURITY 44: what the threat model says keeps a promise is there."""
    for number, cells in threats():
        for path in re.findall(r"`([^`]+)`", cells[3]):
            assert (ROOT / "capture" / path).exists() or (ROOT / path).exists(), f"{number}: {path}"


def test_threat_model_names_tests_that_show_it() -> None:
    """SECURITY 44: each test file that the threat model names speaks of that very promise."""
    for number, cells in threats():
        for path in re.findall(r"`([^`]+)`", cells[4]):
            named = re.findall(r"SECURITY (\d+(?:(?:, | and )\d+)*)", read(path))
            assert number in {int(digits) for group in named for digits in re.findall(r"\d+", group)}, f"{number}: {path}"


def test_readme_names_make_targets() -> None:
    """Every `make` command of README.md and docs/running.md is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.M))
    for name in ("README.md", "docs/running.md"):
        named = set(re.findall(r"(?:^|`|&& )make (?:[A-Z]+=\S+ )?([a-z]+)", read(name), flags=re.M))
        assert named
        assert named <= targets
