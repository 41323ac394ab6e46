"""Texts through GOV.UK Notify (REST API version 2, by its own client). The template there is one placeholder: ((text))."""

import logging
import re
from pathlib import Path
from typing import Any

from notifications_python_client.errors import APIError
from notifications_python_client.notifications import NotificationsAPIClient

from capture.errors import CaptureError, Unavailable, Undeliverable
from capture.notify.base import Message
from capture.outbound import check_address

_KEY = re.compile(r".*[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A name, the service's id and the secret, with hyphens between."""
_OURS = ("template", "personalisation", "api key", "trial mode")
"""Words of a 400 that speaks of how the service is set up, not of the number."""


class Notify:
    """The key is read at each call, so that a new one needs no restart. `timeout` in seconds."""

    def __init__(self, key_file: Path, template: str, base_url: str, timeout: int) -> None:
        self._key_file, self._template, self._base_url, self._timeout = key_file, template, base_url, timeout
        logging.getLogger("notifications_python_client").setLevel(logging.CRITICAL)  # it logs what the service says (SECURITY 7)

    def send(self, message: Message) -> str:
        """Hand a text over, under our own id as its reference: what an earlier try handed over already is found by that."""
        client = self._client()
        try:
            if message.attempt > 1:
                found = client.get_all_notifications(template_type="sms", reference=message.id)["notifications"]
                if found:
                    return str(found[0]["id"])
            said = client.send_sms_notification(message.to, self._template, {"text": message.text}, reference=message.id)
            return str(said["id"])
        except APIError as error:
            raise _ours(error) from None
        except (KeyError, TypeError, IndexError):
            raise Unavailable(code="notify-away", hint="GOV.UK Notify gave an answer that it does not describe") from None

    def check(self) -> str:
        """Ask for the template: address, key and template are right when it comes."""
        try:
            body = self._client().get_template(self._template)["body"]
        except APIError as error:
            raise _ours(error) from None
        except (KeyError, TypeError):
            body = ""
        if str(body).strip() != "((text))":
            raise Unavailable(code="notify-refused", hint="the whole text of the template at GOV.UK Notify must be ((text))")
        return "texts go through GOV.UK Notify, which answers"

    def _client(self) -> Any:
        """A client that follows no redirect and reads no proxy from the environment (SECURITY 43)."""
        check_address(self._base_url)
        try:
            key = self._key_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(code="notify-key", hint=f"{self._key_file}: {getattr(error, 'strerror', 'not UTF-8')}") from None
        if not _KEY.fullmatch(key):
            raise Unavailable(code="notify-key", hint=f"{self._key_file} holds no API key of GOV.UK Notify")
        client: Any = NotificationsAPIClient(key, base_url=self._base_url, timeout=self._timeout)  # type: ignore[no-untyped-call]
        client.request_session.max_redirects, client.request_session.trust_env = 0, False
        return client


def _ours(error: APIError) -> CaptureError:
    """A 400 is about the number, unless it says otherwise; everything else may be better later. Its words may hold the number."""
    status, words = error.status_code, str(error.message).lower()
    if status == 400 and not any(word in words for word in _OURS):
        return Undeliverable(code="number-refused")
    if status in {400, 403, 404}:
        return Unavailable(
            code="notify-refused",
            hint=f"GOV.UK Notify answers {status}: is the key or the template wrong, or the service in trial?",
        )
    return Unavailable(code="notify-away", hint=f"GOV.UK Notify answers {status}")
