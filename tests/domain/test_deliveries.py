"""The words for why a bundle did not arrive."""

import re

from capture.domain.deliveries import SENTENCES
from capture.settings import ROOT


def test_every_code_has_a_sentence() -> None:
    """Each code that an inbox or a part can fail with has a sentence for staff, and is in docs/errors.md; no other one has."""
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    sections = re.split(r"^## ", page, flags=re.M)
    inboxes = [text for text in sections if text.startswith(("Inboxes", "MESH", "S3"))]
    codes = {code for text in inboxes for code in re.findall(r"^\| `([a-z0-9-]+)`", text, flags=re.M)}
    assert {"no-inbox", "mesh-away", "folder-full"} <= codes
    assert not [code for code in codes if code not in SENTENCES]
    assert not [code for code in SENTENCES if f"| `{code}` |" not in page and f"`{code}`" not in page]
