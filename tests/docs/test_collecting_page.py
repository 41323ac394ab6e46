"""docs/collecting.md can be followed: its systemd unit is one, and runs a command that there is."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click

from capture.cli import main
from capture.domain.tokens import SCOPES
from capture.settings import ROOT
from tests import needs

PAGE = (ROOT / "docs" / "collecting.md").read_text("utf-8")
(UNIT,) = re.findall(r"^```ini\n(.*?)^```", PAGE, flags=re.M | re.S)
(TASK,) = re.findall(r"^```powershell\n(.*?)^```", PAGE, flags=re.M | re.S)


def parsed(words: list[str]) -> dict[str, object]:
    """The options of a `collect`, as the command itself reads them; UsageError where it would not take them."""
    command = main.commands[words.pop(0)]
    given = command.make_parser(click.Context(command)).parse_args(words)[0]
    assert not [one.name for one in command.params if one.required and not given.get(one.name or "")]
    return dict(given)


def test_the_unit_runs_the_command() -> None:
    """Its command line is one that the command takes; what it may write to is the folder, and each secret is a credential."""
    ((_, line),) = re.findall(r"^(ExecStart)=(.*)$", UNIT, flags=re.M)
    given = parsed(shlex.split(line)[1:])
    assert f"ReadWritePaths={given['out']}\n" in UNIT
    assert given["watch"]
    credentials = set(re.findall(r"^LoadCredential=(\w+):", UNIT, flags=re.M))
    assert {f"%d/{name}" for name in credentials} == {given["token_file"], given["identity"], given["passphrase_file"]}


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """systemd finds nothing wrong with the unit, and rates what it leaves open as little: 1.7 of 10."""
    analyze = needs.program("systemd-analyze", install="apt install systemd")
    path = tmp_path / "capture-collect.service"
    path.write_text(UNIT.replace("/opt/capture/.venv/bin/capture", sys.executable))
    done = subprocess.run([analyze, "verify", str(path)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    rated = subprocess.run(
        [analyze, "security", "--offline=yes", "--threshold=20", str(path)], check=False, capture_output=True, text=True
    )
    assert rated.returncode == 0, rated.stdout


def test_the_task_runs_the_command() -> None:
    """The Windows task's command line is one that the command takes."""
    words = "".join(re.findall(r"'([^']*)'", TASK.partition("$action")[0]))
    assert parsed(words.split())["watch"]


def test_its_scopes_are_those_that_there_are() -> None:
    """The scopes that the page tells to give are two of the API's."""
    assert set(re.findall(r"`(bundles:\w+)`", PAGE)) <= set(SCOPES)
