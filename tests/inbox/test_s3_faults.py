"""Deliveries to S3 while the network fails: once each, in order, and no patient waits for any of it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from capture.actions.deliver import LONGEST_WAIT, deliver_next, deliver_to_pages
from capture.bucket.client import Access
from capture.bucket.objects import Bucket
from capture.inbox.base import Place
from capture.inbox.s3 import S3Inbox
from capture.services import Services
from capture.store.models import Delivery
from tests.builders import APractice, agree_patient, make_request, make_submitted, take_photo
from tests.conftest import Clock
from tests.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.s3_server import S3Server
from tests.system.server import wait_until
from tests.web.html import patient

FAULTS = ("500", "reset", "lost", "stall", Fault("reset", 60_000), Fault("lost", 60_000))


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(s3.port) as running:
        yield running


def use_bucket(services: Services, s3: S3Server, proxy: FaultProxy, read_seconds: int) -> str:
    """Make a bucket behind the proxy an inbox of every practice: its name."""
    name, url = s3.make_bucket(), f"http://127.0.0.1:{proxy.port}"
    access = Access(name, url, access_key=s3.access_key, secret_file=Path(s3.secret_file), read_seconds=read_seconds)
    services.inboxes["elm"] = Place("the bucket", S3Inbox(Bucket(access), ""))  # type: ignore[index]
    return name


def test_all_faults_in_turn(services: Services, s3: S3Server, proxy: FaultProxy, practice: APractice, clock: Clock) -> None:
    """The table of faults: with refusals, stalls, resets, 500 and lost answers every bundle arrives once, in order."""
    bucket, sent = use_bucket(services, s3, proxy, 3), []
    for _ in range(4):
        asked = make_request(services, practice)
        sent.append(make_submitted(services, asked, delivered=False).id)
        clock.forward(seconds=1)
    while deliver_to_pages(services):
        pass
    with proxy.refusing():
        assert deliver_next(services)
    proxy.fail(*FAULTS)
    for _ in range(60):
        if not deliver_next(services):
            clock.forward(seconds=LONGEST_WAIT.total_seconds() * 1.2)
    with services.database.read() as db:
        rows = db.query(Delivery).filter_by(inbox="elm").all()
        assert {row.state for row in rows} == {"delivered"}
        assert sum(row.attempts for row in rows) > len(FAULTS)
    assert not proxy.left
    client = s3.client()
    there = sorted(client.list_objects_v2(Bucket=bucket)["Contents"], key=lambda row: row["LastModified"])
    client.close()
    assert [row["Key"].rpartition("-")[2].removesuffix(".zip") for row in there] == sent


def test_no_patient_waits(services: Services, app: Flask, s3: S3Server, proxy: FaultProxy, practice: APractice) -> None:
    """The table of faults: while a delivery hangs in a stalled connection, another patient sends photos and reads the receipt."""
    use_bucket(services, s3, proxy, 60)
    make_submitted(services, make_request(services, practice), delivered=False)
    while deliver_to_pages(services):
        pass
    proxy.fail("stall")
    hanging = threading.Thread(target=deliver_next, args=(services,))
    hanging.start()
    wait_until(lambda: not proxy.left)
    asked = make_request(services, practice)
    visitor = patient(app, asked, agree_patient(services, asked))
    take_photo(services, asked)
    assert visitor.submit(visitor.get("/check")).location == "/sent"
    assert asked.receipt in visitor.get("/sent").text
    assert hanging.is_alive()
    with proxy.refusing():
        hanging.join()
