"""What holds for every command: help, exit codes, errors that say what to do."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from capture import errors
from capture.cli import main
from capture.cli.output import reports_errors
from capture.settings import ROOT
from tests.cli.conftest import Command


def every_command(group: click.Group = main, name: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    found: dict[tuple[str, ...], click.Command] = {}
    for word, command in group.commands.items():
        found[*name, word] = command
        if isinstance(command, click.Group):
            found |= every_command(command, (*name, word))
    return found


COMMANDS = every_command()
NEEDED = {
    ("serve",),
    ("demo",),
    ("worker",),
    ("request", "create"),
    ("practice", "add"),
    ("practice", "key"),
    ("practice", "prove"),
    ("answer",),
    ("practice", "list"),
    ("member", "add"),
    ("check",),
    ("open",),
    ("clean",),
    ("keygen",),
}
FOR_PROGRAMS = NEEDED - {("serve",), ("worker",)}


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_help_of_every_command(name: tuple[str, ...]) -> None:
    """Each command says what it does and what each of its options is for."""
    result = CliRunner().invoke(main, [*name, "--help"])
    assert result.exit_code == 0
    command = COMMANDS[name]
    assert command.help
    assert command.help.splitlines()[0] in re.sub(r"\s+", " ", result.output)
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name


def test_the_commands_there_are() -> None:
    """The command has every verb that people were promised, and --json where a program would read the answer."""
    leaves = {name for name, command in COMMANDS.items() if not isinstance(command, click.Group)}
    assert leaves >= NEEDED
    for name in FOR_PROGRAMS:
        assert "--json" in {opt for param in COMMANDS[name].params for opt in param.opts}, name
    told = CliRunner().invoke(main, ["--help"]).output
    assert "Exit codes: 0 done, 1 not done, 2 used wrongly, 3 photo, bundle or key refused, 4 settings" in re.sub(r"\s+", " ", told)


def test_it_runs_as_a_program_and_as_a_module() -> None:
    """`capture` and `python -m capture` are the same, and both know their version."""
    for command in ([str(Path(sys.executable).with_name("capture"))], [sys.executable, "-m", "capture"]):
        done = subprocess.run([*command, "--version"], cwd=ROOT, check=True, capture_output=True, text=True)
        assert re.search(r"\b\d+\.\d+\.\d+\b", done.stdout)


def test_help_is_quick() -> None:
    """Nothing heavy is imported to show help: neither Flask nor SQLAlchemy nor Pillow."""
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom capture.cli import main\n"
        "CliRunner().invoke(main, ['clean', '--help'])\nprint({'flask', 'sqlalchemy', 'PIL', 'cryptography'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("open",),
        ("open", "missing.zip", "--identity", "missing", "--out", "x"),
        ("clean", "one"),
        ("clean", "one", "two", "three"),
        ("clean", "one", "two", "--max-bytes", "5"),
        ("keygen",),
        ("request", "create", "--practice", "A1", "--dob", "31/03/1980", "--protocol", "lesion", "--site", "back"),
        ("request", "create", "--practice", "A1", "--dob", "1980-03-31", "--protocol", "x", "--site", "arm", "--side", "up"),
        ("member", "add", "--practice", "A1", "--email", "a@b.c", "--name", "A", "--role", "king"),
        ("serve", "--port", "http"),
        ("serve", "--port", "65536"),
        ("practice", "key", "--ods", "A1"),
    ],
    ids=" ".join,
)
def test_used_wrongly(capture: Command, args: tuple[str, ...]) -> None:
    """A command that is used wrongly says so, does nothing, and ends with 2."""
    result = capture(*args, code=2)
    assert "Usage: " in result.stderr
    assert not capture.var.exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.CaptureError("No.", hint="do"), 1),
        (errors.NotFound(), 1),
        (errors.Conflict(), 1),
        (errors.NotAllowed(), 1),
        (errors.PhotoRefused(), 3),
        (errors.BundleError(), 3),
        (errors.AgeError(), 3),
        (errors.SettingsError(["one", "two"], hint="do"), 4),
        (errors.Unavailable(hint="do"), 4),
        (PermissionError(13, "Permission denied", "/there"), 1),
        (OSError(28, "No space left on device"), 1),
    ],
    ids=repr,
)
def test_an_error_is_a_fact_and_a_hint(error: Exception, code: int) -> None:
    """Whatever goes wrong ends in its sentences, its hint and its exit code, on standard error; with --json as JSON as well."""

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    @reports_errors
    def fail(as_json: bool) -> None:
        raise error

    plain, program = (CliRunner().invoke(fail, args) for args in ([], ["--json"]))
    assert (plain.exit_code, program.exit_code) == (code, code)
    assert (plain.stdout, plain.stderr) == ("", program.stderr)
    lines = plain.stderr.splitlines()
    sentences = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    hints = [line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")]
    told = json.loads(program.stdout)["error"]
    assert len(sentences) + len(hints) == len(lines)
    assert told["sentence"] == "\n".join(sentences)
    assert hints == ([told["hint"]] if told["hint"] else [])
    if isinstance(error, errors.CaptureError):
        assert told["code"] == error.code


def test_a_mistake_of_ours_is_not_dressed_up() -> None:
    """An exception that nobody foresaw is not turned into a sentence: it ends with its traceback."""

    @click.command()
    @reports_errors
    def fail() -> None:
        raise KeyError("x")

    assert isinstance(CliRunner().invoke(fail).exception, KeyError)
