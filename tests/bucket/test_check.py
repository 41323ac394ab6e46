"""`capture check` asks the buckets that the settings name."""

from pathlib import Path

import pytest

from capture.check import find_problems
from tests.s3_server import S3Server


def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **settings: str) -> dict[str, tuple[bool, str]]:
    """What is found by subject: whether it is right, and the fact."""
    monkeypatch.setenv("CAPTURE_VAR", str(tmp_path / "var"))
    for name, value in settings.items():
        monkeypatch.setenv(f"CAPTURE_{name.upper()}", value)
    return {finding.subject: (finding.ok, finding.fact) for finding in find_problems()}


def test_buckets_answer(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that answers is named, one that is not there or keeps what was deleted is a problem."""
    words = f"endpoint={s3.url}&access_key={s3.access_key}&secret_file={s3.secret_file}"
    table = "\n".join(f'{word} = "{value}"' for word, _, value in (pair.partition("=") for pair in words.split("&")))
    file, bucket = tmp_path / "inboxes.toml", s3.make_bucket()
    file.write_text(f'[inboxes.elm]\nkind = "s3"\ntitle = "bucket"\nbucket = "{bucket}"\n{table}\n')
    found = check(monkeypatch, tmp_path, blobs=f"s3://{bucket}?{words}", inboxes=str(file))
    assert found["sealed photos"] == found["inbox elm"] == (True, f"bucket {bucket} at {s3.url} answers")
    client = s3.client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    client.close()
    assert check(monkeypatch, tmp_path)["sealed photos"] == (False, "the bucket keeps versions: what is deleted is not gone")
    found = check(monkeypatch, tmp_path, blobs=f"s3://nobodys-bucket?{words}")
    assert found["sealed photos"] == (False, "they cannot be reached just now (s3-no-bucket)")
    assert not check(monkeypatch, tmp_path, blobs="s3://elm?access_key=CAPTURE")["sealed photos"][0]
