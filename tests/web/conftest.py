"""A practice, a member who is signed in, a request, a patient who has agreed."""

from dataclasses import replace

import pyotp
import pytest
from flask import Flask

from capture.app import create_app
from capture.services import Services
from capture.store.sessions import start_session
from tests.builders import AMember, APractice, ARequest, agree_patient, make_member, make_request
from tests.conftest import Clock, Furnished
from tests.web.html import Visitor, patient, staff


@pytest.fixture
def practice(furnished: Furnished) -> APractice:
    return furnished.practice


@pytest.fixture
def member(services: Services, practice: APractice) -> AMember:
    return make_member(services, practice)


@pytest.fixture
def asked(services: Services, practice: APractice) -> ARequest:
    return make_request(services, practice)


@pytest.fixture
def visitor(app: Flask, asked: ARequest) -> Visitor:
    """The patient's browser, before anything was opened in it."""
    return patient(app, asked)


@pytest.fixture
def agreed(app: Flask, services: Services, asked: ARequest) -> Visitor:
    """The patient's browser, once the date of birth was given and the boxes ticked."""
    return patient(app, asked, agree_patient(services, asked))


@pytest.fixture
def desk(app: Flask, services: Services, member: AMember, asked: ARequest) -> Visitor:
    """The member's browser, signed in."""
    return staff(app, session_of(services, member), asked)


def session_of(services: Services, member: AMember) -> str:
    """The cookie of a new staff session."""
    with services.database.write() as db:
        return start_session(db, "staff", now=services.clock(), member_id=member.id, practice_id=member.practice.id)


def code_of(member: AMember, clock: Clock, steps: int = 0) -> str:
    """What the authenticator app shows now, or some steps of 30 seconds later."""
    return pyotp.TOTP(member.code_secret).at(clock(), counter_offset=steps)


def app_with(services: Services, **settings: object) -> Flask:
    """The application with other settings, over the same data."""
    return create_app(replace(services, settings=replace(services.settings, **settings)))  # type: ignore[arg-type]
