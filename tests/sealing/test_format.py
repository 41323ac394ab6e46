"""docs/FORMAT.md: its examples are valid, its figures are the code's, and its commands run as they stand."""

import json
import os
import re
import shlex
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from capture.sealing import age, bundle, contents
from capture.sealing.contents import Manifest, SealedRequest
from capture.sealing.keys import VerifyingKey, write_identity_file
from capture.sealing.records import from_json
from tests.needs import program

from .builders import AT, Made, make_bundle
from .conftest import NodeCommand

TEXT = (Path(__file__).parents[2] / "docs" / "FORMAT.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_examples_are_valid() -> None:
    """The manifest and the request that the format shows are read by the reader, the manifest in canonical form."""
    (manifest,), (request,) = blocks("json manifest"), blocks("json request")
    shown = from_json(Manifest, manifest.rstrip("\n").encode(), "bundle.json", canonical=True)
    asked = from_json(SealedRequest, request.encode(), "request.json")
    assert (asked.bundle, asked.request, asked.practice, asked.receipt) == (
        shown.bundle,
        shown.request,
        shown.practice,
        shown.receipt,
    )
    assert VerifyingKey.parse(re.findall(r"`(ed25519:[A-Za-z0-9+/=]+)`", TEXT)[0]).fingerprint in TEXT


def test_every_member_is_described() -> None:
    """No member of manifest or request is missing from the text."""
    kinds = (Manifest, contents.Part, SealedRequest, contents.SealedPhoto)
    assert {field.name for kind in kinds for field in fields(kind)} <= set(re.findall(r"`(\w+)`", TEXT)) | {"name"}


def test_limits_are_the_codes_own() -> None:
    """The limits that the format names are those that the reader keeps."""
    limits = (
        f"here {bundle._MAX_ENTRIES} entries, {bundle._MAX_DIRECTORY >> 10} KiB of directory, "
        f"{contents.MAX_JSON >> 20} MiB for `bundle.json` and for `request.json.age`, {contents.MAX_PART >> 20} MiB a photo"
    )
    assert limits in TEXT
    assert f"work factor above {age.MAX_LOG_N}" in TEXT


def worked_example(made: Made, folder: Path, node: NodeCommand) -> subprocess.CompletedProcess[str]:
    """Run the commands of the worked example in `folder`, with npm age-encryption under the name of age."""
    shell = program("bash", install="apt install bash")
    for name in ("unzip", "openssl", "python3", "sha256sum"):
        program(name, install=f"apt install {name}")
    (folder / "bin").mkdir()
    script = Path(__file__).with_name("age.mjs")
    (folder / "bin" / "age").write_text(f'#!/bin/sh\nexec {shlex.join([*node, str(script)])} "$@"\n')
    (folder / "bin" / "age").chmod(0o755)
    (folder / "identity.txt").write_text(write_identity_file(made.recovery, AT, made.key.verifying_key))
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [shell, "-euo", "pipefail", "-c", "\n".join(blocks("sh"))],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def made() -> Made:
    return make_bundle()


def test_worked_example_opens_a_bundle(made: Made, tmp_path: Path, node_command: NodeCommand) -> None:
    """A bundle is verified and opened part by part, with the commands of the format alone and no code of ours."""
    made.save(tmp_path)
    done = worked_example(made, tmp_path, node_command)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert done.stdout.count(": OK\n") == 7
    assert json.loads((tmp_path / "request.json").read_text())["label"] == "Mrs Ada Byron"
    opened = {f"photos/{path.name}.age": path.read_bytes() for path in tmp_path.glob("0*.jpg")}
    assert opened == made.jpegs


def test_worked_example_tells_a_forgery(made: Made, tmp_path: Path, node_command: NodeCommand) -> None:
    """The same commands stop at the signature when another server made the bundle for the same identities."""
    forged = make_bundle(identity=made.identity)
    forged.save(tmp_path)
    done = worked_example(made, tmp_path, node_command)
    assert done.returncode != 0
    assert "Verification Failure" in done.stdout
    assert not (tmp_path / "request.json").exists()
