"""Records: canonical JSON out, and nothing but the very same back in."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.errors import BundleError
from capture.sealing.contents import Manifest, SealedRequest, photo_part_name
from capture.sealing.records import from_json, to_json

from .builders import make_bundle, make_photo, make_request


@dataclass(frozen=True)
class Record:
    text: str
    whole: int
    number: float
    yes: bool
    at: datetime
    maybe: str | None
    several: tuple[int, ...]
    named: Mapping[str, float]


AT = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
RECORD = Record("ü", 1, 0.5, True, AT, None, (1, 2), {"b": 1.0, "a": 2.5})
text = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.floats(allow_nan=False, allow_infinity=False)
records = st.builds(
    Record,
    text=text,
    whole=st.integers(),
    number=numbers,
    yes=st.booleans(),
    at=st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),  # noqa: DTZ001
    maybe=st.none() | text,
    several=st.lists(st.integers()).map(tuple),
    named=st.dictionaries(text, numbers),
)


@given(records)
def test_records_round_trip(record: Record) -> None:
    """Whatever a record holds comes back equal, and is spelt the same again."""
    data = to_json(record)
    assert from_json(Record, data, "record", canonical=True) == record
    assert to_json(from_json(Record, data, "record")) == data


def test_canonical_form_is_what_the_format_says() -> None:
    """Keys in order, no spaces, accents as they are, times in UTC to the second."""
    assert to_json(RECORD).decode() == (
        '{"at":"2026-11-22T10:15:00Z","maybe":null,"named":{"a":2.5,"b":1.0},"number":0.5,"several":[1,2],"text":"ü","whole":1,"yes":true}'
    )
    east = AT.astimezone(timezone(timedelta(hours=9)))
    assert b'"at":"2026-11-22T10:15:00Z"' in to_json(Record("", 1, 0.5, True, east, None, (), {}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"text": 1}, "record.text is not text."),
        ({"text": None}, "record.text is not text."),
        ({"whole": 1.0}, "record.whole is not a whole number."),
        ({"whole": True}, "record.whole is not a whole number."),
        ({"number": "1"}, "record.number is not a number."),
        ({"number": True}, "record.number is not a number."),
        ({"yes": 1}, "record.yes is not true or false."),
        ({"at": "2026-11-22 10:15:00"}, "record.at is not a time"),
        ({"at": "2026-02-30T10:15:00Z"}, "record.at is not a time"),
        ({"at": "2026-11-22T10:15:0Z"}, "record.at is not a time"),
        ({"at": 5}, "record.at is not of the right kind."),
        ({"several": [1, "2"]}, r"record.several\[1\] is not a whole number."),
        ({"several": {"0": 1}}, "record.several is not of the right kind."),
        ({"named": {"a": []}}, "record.named.a is not a number."),
        ({"named": 5}, "record.named is not of the right kind."),
        ({"named": []}, "record.named is not of the right kind."),
        ({"more": 1, "\x1b": 2}, r"record has unknown members: \\x1b, more."),
    ],
)
def test_wrong_values_are_told_by_their_place(change: dict[str, object], reason: str) -> None:
    """A value of the wrong type, or one too many, is refused with the path to it."""
    data = json.dumps({**json.loads(to_json(RECORD)), **change}).encode()
    with pytest.raises(BundleError, match=reason) as refused:
        from_json(Record, data, "record")
    assert refused.value.code == "bundle-format"


def test_whole_numbers_are_numbers() -> None:
    """Other writers spell 1.0 as 1; it is the same number."""
    data = json.dumps({**json.loads(to_json(RECORD)), "number": 1}).encode()
    number = from_json(Record, data, "record").number
    assert (number, type(number)) == (1.0, float)


def test_missing_values_are_told_by_name() -> None:
    """Nothing has a default: what is missing is named."""
    with pytest.raises(BundleError, match="record lacks maybe, whole"):
        from_json(Record, b'{"at":"","named":{},"number":0,"several":[],"text":"","yes":true}', "record")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'{"text":"a","text":"b"}',
        b'{"number":NaN}',
        b'{"number":1e999}',
        b'{"text":"\\ud800"}',
        b"[" * 200_000,
        b'{"whole":' + b"1" * 100_000 + b"}",
    ],
)
def test_what_json_readers_disagree_on_is_refused(data: bytes) -> None:
    """A name twice, NaN, infinity, lone surrogates, endless nesting or digits: one sentence, no traceback."""
    with pytest.raises(BundleError, match="record is not valid JSON"):
        from_json(Record, data, "record")


def test_other_spellings_are_refused_where_canonical_is_asked() -> None:
    """Signed text has one spelling: white space, another order or needless escapes are refused."""
    data = to_json(RECORD)
    reordered = json.dumps(dict(reversed(json.loads(data).items())), separators=(",", ":"), ensure_ascii=False).encode()
    for other in (data + b"\n", data.replace(b":", b": ", 1), data.replace("ü".encode(), b"\\u00fc"), reordered):
        assert from_json(Record, other, "record") == RECORD
        with pytest.raises(BundleError, match="canonical"):
            from_json(Record, other, "record", canonical=True)


def changed(data: bytes, change: Callable[[Any], object]) -> bytes:
    value = json.loads(data)
    change(value)
    return json.dumps(value).encode()


def set_part(name: str) -> Callable[[Any], object]:
    return lambda manifest: manifest["parts"][1].update(name=name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.update(version=2), "only version 1"),
        (lambda m: m.update(format="tar"), "not the manifest of a bundle"),
        (lambda m: m.update(bundle="../x"), "id is malformed"),
        (lambda m: m.update(request=""), "id is malformed"),
        (lambda m: m.update(receipt="abc\n"), "receipt is malformed"),
        (lambda m: m.update(recipients=[]), "not fingerprints"),
        (lambda m: m.update(recipients=["age1pq1x"]), "not fingerprints"),
        (lambda m: m["practice"].update(ods="a1"), "ODS code"),
        (lambda m: m["parts"].pop(0), "first part is not"),
        (lambda m: m["parts"].clear(), "first part is not"),
        (lambda m: m["parts"].__delitem__(slice(1, 4)), "from 1 to 99 photos"),
        (lambda m: m["parts"].reverse(), "first part is not"),
        (lambda m: m["parts"].append(m["parts"][1]), "is not the name of photo 4"),
        (lambda m: m["parts"][0].update(size=2 << 20), "too large"),
        (lambda m: m["parts"][1].update(size=1 << 40), "size of a part"),
        (lambda m: m["parts"][1].update(size=0), "size of a part"),
        (lambda m: m["parts"][1].update(sha256="A" * 64), "64 hexadecimal"),
        (set_part("photos/../../01-x.jpg.age"), "name of photo 1"),
        (set_part("photos/01-../x.jpg.age"), "name of photo 1"),
        (set_part("photos/01-Context.jpg.age"), "name of photo 1"),
        (set_part("photos/01-" + "x" * 41 + ".jpg.age"), "name of photo 1"),
        (set_part("photos/1-context.jpg.age"), "name of photo 1"),
        (set_part("01-context.jpg.age"), "name of photo 1"),
        (set_part("context"), "name of photo 1"),
        (set_part("photos/01-context.jpg"), "name of photo 1"),
    ],
)
def test_manifests_that_break_the_format_are_refused(change: Callable[[Any], object], reason: str) -> None:
    """SECURITY 36: every rule that the format sets for a manifest is checked, names that lead out of the folder first of all."""
    with pytest.raises(BundleError, match=reason):
        from_json(Manifest, changed(MANIFEST_JSON, change), "bundle.json")


MANIFEST_JSON = make_bundle().bundle.manifest_json
REQUEST_JSON = to_json(make_request([make_photo(1, "context", b"x")]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r.update(version=0), "only version 1"),
        (lambda r: r["photos"].clear(), "from 1 to 99 photos"),
        (lambda r: r["photos"].append(r["photos"][0]), "name of photo 2"),
        (lambda r: r["photos"][0].update(width=0), "has no size"),
        (lambda r: r["photos"][0].update(sha256="0"), "64 hexadecimal"),
        (lambda r: r["photos"][0].update(taken_at="yesterday"), "time a photo was taken"),
        (lambda r: r["photos"][0]["removed"][0].update(value="51.5N"), "unknown members: value"),
        (lambda r: r["answers"].update(more=1), "answers.more is not text"),
        (lambda r: r.pop("consent"), "lacks consent"),
    ],
)
def test_requests_that_break_the_format_are_refused(change: Callable[[Any], object], reason: str) -> None:
    """Every rule that the format sets for the sealed request is checked, also that a certificate holds no values."""
    with pytest.raises(BundleError, match=reason):
        from_json(SealedRequest, changed(REQUEST_JSON, change), "request.json")


@pytest.mark.parametrize("view", ["", "Close-up", "a--b", "a/b", "..", "x" * 41, "a_b"])
def test_views_must_suit_a_file_name(view: str) -> None:
    """A view whose name could not stand in a bundle is refused when the bundle is made."""
    with pytest.raises(BundleError, match="lower-case words"):
        photo_part_name(1, view)
