"""SECURITY 25 where several processes serve: what they count together, and what happens while nothing counts for them."""

import logging
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from limits.storage import RedisStorage

from capture.counters import describe
from capture.services import Services
from tests.builders import AMember, ARequest
from tests.redis_server import RedisServer, running_redis
from tests.web.conftest import app_with
from tests.web.html import Visitor, patient


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def sharing(services: Services, redis: RedisServer) -> Iterator[list[Flask]]:
    """Two applications as of two processes, whose counts are in the Redis."""
    apps = [app_with(services, limits=redis.url) for _ in range(2)]
    yield apps
    for app in apps:
        for limiter in app.extensions["limiter"]:
            if isinstance(limiter.storage, RedisStorage):
                limiter.storage.storage.close()


def try_password(app: Flask, email: str, address: str = "192.0.2.1") -> int:
    visitor = Visitor(app)
    data = {"csrf_token": visitor.csrf("/staff/sign-in"), "email": email, "password": "wrong horse battery"}
    return visitor.open("POST", "/staff/sign-in", data=data, environ_overrides={"REMOTE_ADDR": address}).status


def test_processes_count_together(sharing: list[Flask], member: AMember, redis: RedisServer) -> None:
    """Ten tries in five minutes for a member, whichever process is asked; Redis learns neither who nor from where."""
    statuses = [try_password(sharing[number % 2], member.email, f"192.0.2.{number}") for number in range(12)]
    assert statuses == [422] * 10 + [429] * 2
    counted = " ".join(redis.counted())
    assert counted
    assert member.email not in counted
    assert "192.0.2" not in counted


def test_processes_by_themselves_count_apart(services: Services, member: AMember) -> None:
    """Without a Redis each process has its own count, which is what the test above would find if nothing were shared."""
    apps = [app_with(services) for _ in range(2)]
    assert [try_password(apps[number % 2], member.email, f"192.0.2.{number}") for number in range(12)] == [422] * 12


def test_a_redis_that_is_away_stops_nobody(
    sharing: list[Flask], member: AMember, asked: ARequest, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Patients go on, staff sign in, each process counts by itself and logs that once; once it is back they share counts again."""
    app = sharing[0]
    assert try_password(app, "one@practice.example") == 422
    redis.stop()
    with caplog.at_level(logging.WARNING):
        assert patient(app, asked).get(asked.path).status == 200
        statuses = [try_password(app, member.email, f"192.0.2.{number}") for number in range(11)]
    assert statuses == [422] * 10 + [429]
    assert [record.name for record in caplog.records] == ["flask-limiter"]
    redis.start()
    begun = time.monotonic()
    while not redis.counted() and time.monotonic() < begun + 60:  # it is looked for after 1, 2, 4 … seconds
        try_password(app, "other@practice.example", "192.0.2.99")
    assert redis.counted()


def test_check_says_where_rates_are_counted(redis: RedisServer) -> None:
    """`capture check` tells whether the Redis answers, without its password."""
    assert describe("memory://") == (True, "each process counts by itself")
    assert describe(redis.url) == (True, f"all processes count in the Redis at 127.0.0.1:{redis.port}")
    redis.stop()
    ok, fact = describe(redis.url.replace("//", "//:hidden-word@"))
    assert not ok
    assert "does not answer" in fact
    assert "hidden-word" not in fact
