"""`capture open --fhir`: the photos as one FHIR Bundle beside the JPEG files."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

from tests.cli.conftest import Command
from tests.cli.test_packing import noisy, write_bundle


def binaries(path: Path) -> list[bytes]:
    """The pictures in a FHIR file."""
    entries: list[dict[str, Any]] = [entry["resource"] for entry in json.loads(path.read_bytes())["entry"]]
    return [base64.b64decode(resource["data"]) for resource in entries if resource["resourceType"] == "Binary"]


def test_one_fhir_file(capture: Command, tmp_path: Path) -> None:
    """--fhir writes one private file with the photos bit for bit beside the JPEGs; twice is as once, and nothing is overwritten."""
    jpegs = [b"\xff\xd8\xff one", b"\xff\xd8\xff two"]
    args = (*write_bundle(tmp_path, jpegs), "--fhir")
    told = capture.json(*args)
    path = Path(told["fhir"]["path"])
    assert (path.name, told["fhir"]["new"], len(told["photos"])) == ("2026-11-22_left-forearm_2-photos.fhir.json", True, 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert binaries(path) == jpegs
    written = path.read_bytes()
    assert f"was there {path}" in capture(*args).stdout
    assert path.read_bytes() == written
    path.write_bytes(b"another")
    assert "is not this FHIR file" in capture(*args, code=3).stderr
    assert path.read_bytes() == b"another"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_bytes(written)
    assert "is not this FHIR file" in capture(*args, code=3).stderr


def test_with_other_options(capture: Command, tmp_path: Path) -> None:
    """Only the photos chosen are in it, as they were sealed: beside a PDF, and beside JPEGs that a preset makes smaller."""
    jpegs = [noisy((300, 200)), noisy((1600, 1200))]
    args = (*write_bundle(tmp_path, jpegs), "--fhir")
    told = capture.json(*args, "--preset", "vision-745kb", "--photo", 2)
    assert Path(told["photos"][0]["path"]).stat().st_size < 745_000 < len(jpegs[1])
    assert binaries(Path(told["fhir"]["path"])) == jpegs[1:]
    told = capture.json(*args, "--pdf")
    assert (told["photos"], Path(told["pdf"]["path"]).suffix) == ([], ".pdf")
    assert binaries(Path(told["fhir"]["path"])) == jpegs
