"""The addresses that webhooks go to: what may be one. Pure; where its name leads is looked at when something is sent."""

from urllib.parse import urlsplit

from capture.errors import NotAllowed

MAX_URL = 500


def check_url(url: str) -> None:
    """Whether a webhook may go there, as far as the address itself tells; NotAllowed says why not."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        whole = False
    if not whole or not url.isascii() or not url.isprintable() or " " in url or len(url) > MAX_URL:
        raise NotAllowed(f"This is not a web address of at most {MAX_URL} characters.", code="webhook-url")
    if parts.scheme != "https":
        raise NotAllowed("The address of a webhook must start with https://", code="webhook-url")
    if parts.username is not None or parts.fragment:
        raise NotAllowed("The address must hold no user name, password or part after #.", code="webhook-url")
