"""SECURITY 43: webhooks go to the address that was checked, by TLS in the receiver's name, and nowhere a redirect leads."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from capture.domain.webhooks import check_url
from capture.errors import CaptureError, NotAllowed
from capture.notify.webhooks import Webhooks
from tests.notify.receiver import Receiver, answering, make_certificate, receiving
from tests.ports import free_port

LOOPBACK = ("127.0.0.0/8", "::1/128")


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path) as made:
        yield made


def posting(receiver: Receiver, *, networks: tuple[str, ...] = LOOPBACK, seconds: float = 5.0) -> Webhooks:
    return Webhooks(networks, receiver.certificate, seconds)


def failure(webhooks: Webhooks, url: str) -> str:
    with pytest.raises(CaptureError) as caught:
        webhooks.post(url, b"{}", {})
    assert caught.value.code == "webhook-failed"
    return caught.value.sentence


def test_what_is_posted_arrives(receiver: Receiver) -> None:
    """Body and headers arrive as they are, at the path with its query, under the host's name; any 2xx is a success."""
    for status in (200, 202, 204):
        receiver.answers.append(status)
        posting(receiver).post(receiver.url, b'{"a": 1}', {"webhook-id": "msg_1", "Content-Type": "application/json"})
    headers, body = receiver.got[0]
    assert (len(receiver.got), body, headers["webhook-id"]) == (3, b'{"a": 1}', "msg_1")
    assert headers["host"] == receiver.url.split("/")[2]
    assert set(receiver.asked_for) == {"/hook?key=1"}


def test_what_it_answers_is_told(receiver: Receiver) -> None:
    """SECURITY 43: an error is told by its status, and a redirect is not followed."""
    receiver.answers = [301, 307, 400, 500]
    told = [failure(posting(receiver), receiver.url) for _ in range(4)]
    assert told == [
        "It answered 301; redirects are not followed.",
        "It answered 307; redirects are not followed.",
        "It answered 400.",
        "It answered 500.",
    ]
    assert set(receiver.asked_for) == {"/hook?key=1"}


@pytest.mark.parametrize("how", ["stall", "trickle"])
def test_one_try_has_an_end(receiver: Receiver, how: str) -> None:
    """A receiver that never answers, or gives a byte now and then, is left after the time that one try may take."""
    receiver.answers.append(how)
    assert failure(posting(receiver, seconds=1.0), receiver.url) == "There was no answer in time."
    assert not receiver.outlasted


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Says that the time of the try is over, when the test wants it and not before."""
    watches: list[Callable[[], None]] = []

    class Watch:
        def __init__(self, _seconds: float, over: Callable[[], None]) -> None:
            watches.append(over)

        def start(self) -> None:
            pass

        cancel = start

    def ring() -> None:
        watches[-1]()

    monkeypatch.setattr(threading, "Timer", Watch)
    return ring


@pytest.mark.parametrize("when", ["handshake", "status", "headers"])
def test_the_end_comes_whatever_is_waited_for(tmp_path: Path, ring: Callable[[], None], when: str) -> None:
    """A try whose time is over in the handshake, or between two lines of the answer, fails, though a 200 would follow."""
    with answering(tmp_path, when, ring) as receiver:
        assert failure(posting(receiver), receiver.url) == "There was no answer in time."
        assert len(receiver.got) == (when != "handshake"), "nothing is said by a handshake that came too late"


def test_the_time_is_that_of_all_addresses(monkeypatch: pytest.MonkeyPatch, ring: Callable[[], None]) -> None:
    """An address that lets a try wait leaves the next one what is left; once the time is over none is tried."""
    addresses = [f"93.184.216.{number}" for number in range(1, 4)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
    tried: list[float] = []
    clock = [100.0]

    def wait(_address: object, timeout: float) -> None:
        tried.append(timeout)
        clock[0] += 1.5
        if len(tried) == 2:
            ring()
        raise TimeoutError

    monkeypatch.setattr("capture.notify.webhooks.monotonic", lambda: clock[0])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
    monkeypatch.setattr(socket, "create_connection", wait)
    assert failure(Webhooks((), None, 5.0), "https://hooks.example.org/") == "There was no answer in time."
    assert tried == [5.0, 3.5]
    tried.clear()
    assert failure(Webhooks((), None, 1.0), "https://hooks.example.org/") == "There was no answer in time."
    assert tried == [1.0], "the clock alone ends it too"


def test_nobody_there(receiver: Receiver) -> None:
    """A port that nobody listens at and a name that there is not are told, in words of ours."""
    assert failure(posting(receiver), f"https://127.0.0.1:{free_port()}/") == "There was no answer in time."
    for name in ("nobody.invalid", f"{'x' * 64}.example.org"):
        assert "no address" in failure(posting(receiver), f"https://{name}/")


def test_the_certificate_counts(receiver: Receiver, tmp_path: Path) -> None:
    """SECURITY 43: a certificate of an unknown authority, or for another name, ends the try before anything is said."""
    other = make_certificate(tmp_path / "other.pem", "localhost")
    assert "certificate" in failure(Webhooks(LOOPBACK, other, 5.0), receiver.url)
    assert "certificate" in failure(Webhooks(LOOPBACK, None, 5.0), receiver.url)
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----")
    for name in ("broken.pem", "gone.pem"):
        assert "Tell your operator" in failure(Webhooks(LOOPBACK, tmp_path / name, 5.0), receiver.url)
    with receiving(tmp_path, "hooks.example.org") as elsewhere:
        assert "certificate" in failure(posting(elsewhere), elsewhere.url)
        assert (receiver.got, elsewhere.got) == ([], [])


NEVER = [
    "169.254.169.254",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",
    "224.0.0.1",
]
PRIVATE = ["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[::1]", "[fd12::1]", "[::ffff:10.0.0.1]"]
TUNNELLED = ["[64:ff9b::a00:1]", "[2002:a00:1::1]", "[2001:0:a00:1::1]"]


def test_addresses_that_are_refused(receiver: Receiver) -> None:
    """SECURITY 43: metadata addresses are refused always, those of private networks unless the operator lists them."""
    everything = ("0.0.0.0/0", "::/0")
    for host in NEVER:
        assert "never allowed" in failure(posting(receiver, networks=everything), f"https://{host}/"), host
    for host in (*PRIVATE, *TUNNELLED):
        assert "not allowed" in failure(posting(receiver, networks=()), f"https://{host}/"), host
    assert failure(posting(receiver, networks=("10.0.0.0/8",)), "https://192.168.1.1/").endswith("not allowed.")


def test_a_name_that_changes_meanwhile(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY 43: a name is looked up once, and the connection goes to what was found then, whatever it leads to by now."""
    answers, asked, real = [["127.0.0.2", "127.0.0.1"], ["10.0.0.1"]], [], socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host != "hooks.example.org":
            assert host in {"127.0.0.1", "127.0.0.2"}
            return real(host, port, *rest, **options)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    url = receiver.url.replace("localhost", "hooks.example.org")
    assert "certificate" in failure(posting(receiver), url)  # it was reached, and its certificate is for another name
    assert asked == ["hooks.example.org"]
    assert "not allowed" in failure(posting(receiver), url)


def test_one_bad_address_among_good_ones(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY 43: a name that leads to a public and to a private address is refused as a whole."""
    mixed = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: mixed)
    assert "not allowed" in failure(posting(receiver, networks=()), "https://hooks.example.org/")


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/",
        "ftp://hooks.example.org/",
        "hooks.example.org",
        "https://",
        "https:///path",
        "https://user:word@hooks.example.org/",
        "https://hooks.example.org/#part",
        "https://hooks.example.org:0/",
        "https://hooks.example.org:99999/",
        "https://[::1/",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/\n",
        "https://hóoks.example.org/",
        "https://hooks.example.org/" + "x" * 500,
    ],
)
def test_what_is_no_address_for_webhooks(url: str) -> None:
    """SECURITY 43: https only, whole, without a password in it, and of a length that is kept."""
    with pytest.raises(NotAllowed):
        check_url(url)
    check_url("https://hooks.example.org:8443/capture?key=1")
