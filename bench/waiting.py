"""How long patients wait for pages and photos while all that the service sends to is away, beside a service where nothing is.

Three services run side by side and take turns with whole journeys: the inboxes, MESH and S3, and the mail server refuse
connections, or take them and say nothing, or there is none of them. Aimed at: under 2 s for any answer, and no more than where
nothing is away.
"""

import math
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.ports import free_port
from tests.system.server import Answer, Patient, Server, running
from tests.system.stalled import AWAY, Stalled, new_link, serving, whole_journey

JOURNEYS, LIMIT = 15, 2.0


@dataclass
class Timed(Patient):
    """Notes the seconds of each answer: those to a photo, and all others."""

    photos: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        since = time.perf_counter()
        answer = super().ask(method, path, body, **headers)
        is_photo = method == "POST" and path.startswith("/photos/")
        (self.photos if is_photo else self.pages).append(time.perf_counter() - since)
        return answer


def main() -> None:
    """Print a table."""
    waits: dict[str, tuple[list[float], list[float]]] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        services = start(Path(name), stack)
        for _ in range(JOURNEYS):
            for kind, server in services.items():
                patient = Timed(server.port, new_link(server))
                whole_journey(patient)
                pages, photos = waits.setdefault(kind, ([], []))
                pages += patient.pages
                photos += patient.photos
    for number, what in enumerate(("pages", "photos")):
        alone = median(waits["nothing is away"][number])
        for kind, both in waits.items():
            times = sorted(both[number])
            late = times[math.ceil(0.95 * len(times)) - 1]
            told = f"p50 {median(times) * 1000:4.0f} ms, p95 {late * 1000:4.0f} ms, most {times[-1] * 1000:4.0f} ms"
            ratios = f"{median(times) / alone:.2f} × alone, most {times[-1] / LIMIT:.2f} × the limit of {LIMIT:.0f} s"
            print(f"{len(times):4} {what:6} {kind:15} {told}: {ratios}")


def start(folder: Path, stack: ExitStack) -> Mapping[str, Server]:
    """The three services."""
    for name in ("alone", "refused", "stalled"):
        (folder / name).mkdir()
    return {
        "nothing is away": stack.enter_context(running(folder / "alone" / "var")),
        "all refuse": stack.enter_context(serving(folder / "refused", {name: free_port() for name in AWAY})),
        "all stall": stack.enter_context(serving(folder / "stalled", {name: Stalled(stack).port for name in AWAY})),
    }


if __name__ == "__main__":
    main()
