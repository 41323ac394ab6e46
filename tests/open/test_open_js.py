"""The opening page's script, run by Node's own test runner, and against a bundle that the server's code made."""

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from capture.sealing.age import seal_with_passphrase
from capture.sealing.bundle import open_bundle
from capture.sealing.fhir import write_fhir
from capture.sealing.keys import write_identity_file
from tests.needs import node
from tests.sealing.builders import Made, make_bundle, unzip

HERE = Path(__file__).parent
PASSPHRASE = "naïve correct horse"


def test_the_opening_pages_script_keeps_its_promises(tmp_path: Path) -> None:
    """Every promise in tests/open/*.test.js holds (SECURITY 36, 37), also for a bundle sealed by the server's own code."""
    write_served(make_bundle((b"\xff\xd8\xff context", b"\xff\xd8\xff close-up" * 9000, b"\xff\xd8\xff scale")), tmp_path)
    scripts = sorted(str(path) for path in HERE.glob("*.test.js"))
    done = subprocess.run(
        [*node(), "--test", "--test-reporter=tap", *scripts],
        env={**os.environ, "CAPTURE_BUNDLE": str(tmp_path), "CAPTURE_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line[2:].split(" ", 1) for line in done.stdout.splitlines() if line.startswith("# ") and line.count(" ") == 2)
    assert int(counts["pass"]) >= 30, done.stdout
    assert counts["fail"] == counts["skipped"] == counts["cancelled"] == counts["todo"] == "0", done.stdout


def write_served(made: Made, folder: Path) -> None:
    """What the server would serve of a bundle, one file an address, and what must come out of it."""
    manifest = made.bundle.manifest
    urls = {}
    for number, (name, data) in enumerate(unzip(made.zip()).items()):
        urls[name] = str(number)
        (folder / urls[name]).write_bytes(data)
    signer = made.key.verifying_key
    identity_file = write_identity_file(made.identity, datetime.now(UTC), signer)
    (folder / "identity.age").write_bytes(seal_with_passphrase(identity_file.encode(), PASSPHRASE, log_n=10))
    with open_bundle(made.save(folder), [made.identity], signer) as opened:
        (folder / "fhir.json").write_bytes(b"".join(write_fhir(opened.request, opened.photos, opened.read)))
    names = [
        f"2026-11-22_left-forearm_{view}_{number}of3.jpg"
        for number, view in enumerate(("context", "close-up", "close-up-scale"), 1)
    ]
    expected = {
        "passphrase": PASSPHRASE,
        "fingerprint": made.identity.recipient.fingerprint,
        "signer": str(signer),
        "label": "Mrs Ada Byron",
        "photos": [base64.b64encode(jpeg).decode() for jpeg in made.jpegs.values()],
        "names": names,
        "order": {
            "bundle": manifest.bundle,
            "request": manifest.request,
            "practice": manifest.practice.ods,
            "receipt": manifest.receipt,
            "manifestUrl": urls["bundle.json"],
            "signatureUrl": urls["bundle.sig"],
            "parts": [{"name": part.name, "url": urls[part.name]} for part in manifest.parts],
            "identities": [{"fingerprint": made.identity.recipient.fingerprint, "url": "identity.age"}],
        },
    }
    (folder / "expected.json").write_text(json.dumps(expected))
