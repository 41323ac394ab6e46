"""The file of inboxes as a whole: what is in it that names none is told, whatever the kinds make of their own words."""

from pathlib import Path

import pytest

from capture.errors import SettingsError
from capture.inbox import load_inboxes

FOLDER = 'kind = "folder"\ntitle = "the documents folder"\npath = "/srv/inbox"\n'


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (f"[inbox.elm]\n{FOLDER}", ["'inbox' is not a word of this file: is 'inboxes' meant?", "it names no inbox"]),
        (f"[inboxes.elm]\n{FOLDER}[elm]\n", ["'elm' is not a word of this file: is 'inboxes' meant?"]),
        ("inboxes = 3\n", ["inboxes must be a table with one table for each inbox"]),
        ("[[inboxes]]\n", ["inboxes must be a table with one table for each inbox"]),
        ("[inboxes]\n", ["it names no inbox"]),
        ("inboxes.elm = 3\n", ["inbox elm: must be a table"]),
        (f"[inboxes.elm]\n{FOLDER}practices = []\n", ["inbox elm: practices must be a list of ODS codes, one at least"]),
        ("", ["it names no inbox"]),
    ],
)
def test_what_names_no_inbox_is_told(tmp_path: Path, text: str, problems: list[str]) -> None:
    """A misspelt table, one of another kind and an empty file forward nothing: the service does not start with them."""
    path = tmp_path / "inboxes.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as told:
        load_inboxes(path)
    assert told.value.problems == [problem if problem.startswith("inbox elm") else f"{path}: {problem}" for problem in problems]


def test_a_file_that_names_one_is_taken(tmp_path: Path) -> None:
    """Staff pages first, then what the file names."""
    path = tmp_path / "inboxes.toml"
    path.write_text(f"[inboxes.elm]\n{FOLDER}")
    assert list(load_inboxes(path)) == ["web", "elm"]


def test_who_only_queues_opens_no_secret(tmp_path: Path) -> None:
    """A process that brings no bundles anywhere knows each inbox, and whose it is, without the secrets; its words are looked at."""
    path = tmp_path / "inboxes.toml"
    bucket = 'kind = "s3"\ntitle = "the bucket"\npractices = ["A81001"]\nbucket = "elm-photos"\naccess_key = "CAPTURE"\n'
    path.write_text(f'[inboxes.elm]\n{bucket}secret_file = "of-the-workers"\n')
    place = load_inboxes(path, sends=False)["elm"]
    assert (place.title, place.serves("A81001"), place.serves("A81002")) == ("the bucket", True, False)
    with pytest.raises(SettingsError, match="of-the-workers cannot be read"):
        load_inboxes(path)
    path.write_text(f"[inboxes.elm]\n{bucket}")
    with pytest.raises(SettingsError, match="go together"):
        load_inboxes(path, sends=False)
