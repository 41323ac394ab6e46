"""The API for other systems: JSON under /api/v1, a practice's token in each call, no cookie anywhere. openapi.json describes it."""

from capture.web.api import bundles, requests  # noqa: F401 - their routes
from capture.web.api.calls import blueprint, init_rates

__all__ = ["blueprint", "init_rates"]
