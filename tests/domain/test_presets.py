"""What the systems that referrals are made in take."""

from pathlib import Path

import pytest

from capture.domain.presets import check_can_save, for_script, load_presets
from capture.errors import CaptureError, SettingsError

CONFIG = Path(__file__).parents[2] / "config" / "presets.toml"


def test_the_presets_that_are_shipped() -> None:
    """The three presets hold the limits that the systems publish, and the e-Referral Service comes first."""
    presets = load_presets(CONFIG)
    assert [(name, preset.under, preset.files) for name, preset in presets.items()] == [
        ("ers-5mb", 5_242_880, 0),
        ("vision-745kb", 745_000, 4),
        ("web-100mb", 100_000_000, 0),
    ]
    assert for_script(presets)[1] == {"name": "vision-745kb", "title": presets["vision-745kb"].title, "under": 745_000, "files": 4}


def test_more_files_than_a_system_takes() -> None:
    """A preset with a limit refuses one file more; a preset without takes any number."""
    presets = load_presets(CONFIG)
    check_can_save(presets["vision-745kb"], 4)
    check_can_save(presets["ers-5mb"], 99)
    with pytest.raises(CaptureError, match="takes 4 files at most, not 5") as error:
        check_can_save(presets["vision-745kb"], 5)
    assert error.value.code == "too-many-files"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no preset"),
        ("presets = 3", "has no preset"),
        ("[presets.a]\ntitle = 'A'\nunder = 50000", "presets.a must have files, title, under"),
        ("[presets]\na = 3", "presets.a must have files, title, under"),
        ("[presets.a]\ntitle = ''\nunder = 50000\nfiles = 0", "title must be a text"),
        ("[presets.a]\ntitle = 'A'\nunder = 5.5\nfiles = 0", "under must be a whole number"),
        ("[presets.a]\ntitle = 'A'\nunder = 19_999\nfiles = 0", "under must be a whole number"),
        ("[presets.a]\ntitle = 'A'\nunder = 50000\nfiles = -1", "files must be a whole number"),
        ("[presets", "cannot be read"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    """Whatever is wrong with the file is named, and nothing of it is used."""
    path = tmp_path / "presets.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load_presets(path)
    assert told in error.value.sentence


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is named, not taken for an empty one."""
    with pytest.raises(SettingsError, match=r"presets\.toml cannot be read"):
        load_presets(tmp_path / "presets.toml")
