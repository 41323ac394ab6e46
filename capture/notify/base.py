"""What a carrier of messages promises."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """One message. `id` (32 hex digits) is the same at every try; `attempt` counts them from 1; texts have no `subject`."""

    id: str
    to: str
    text: str
    subject: str = ""
    attempt: int = 1


class Messenger(Protocol):
    """Hands messages over to a service that carries them. Holds the text and the number no longer than the call lasts."""

    def send(self, message: Message) -> str:
        """Hand it over; the service's own id of it.

        Raises Undeliverable when no later try can help, for the number or address is refused; any other CaptureError (Unavailable
        mostly) when one can. A second try of what was handed over already sends nothing, where the service lets that be told.
        """
        ...

    def check(self) -> str:
        """A fact for `capture check`: who carries the messages, after asking there. Sends nothing; CaptureError with a hint."""
        ...
