"""Requests whose time is over, for the tests of deletion."""

from capture.actions.attach import attach
from capture.actions.collect import collect
from capture.actions.purge import purge
from capture.services import Services
from capture.store.models import Bundle
from tests.builders import ARequest, make_submitted
from tests.conftest import Clock


def make_attached(services: Services, asked: ARequest, views: tuple[str, ...] = ("close-up",)) -> Bundle:
    bundle = make_submitted(services, asked, views=views)
    collect(services, asked.practice.id, bundle.id, actor="a")
    attach(services, asked.practice.id, bundle.id, actor="a")
    return bundle


def pass_time(services: Services, clock: Clock, days: float) -> int:
    """So many days later: the worker sees what is due, and looks again a day after."""
    clock.forward(days=days)
    assert purge(services) == 0
    clock.forward(days=1)
    return purge(services)
