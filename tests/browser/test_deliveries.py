"""The page of deliveries in a real browser, on a desk and on a phone, with and without script."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from capture.store import deliveries
from capture.store.models import Bundle, Delivery, DeliveryTry
from tests.browser.conftest import Demo, visit
from tests.browser.opening import drawn, send_bundle, service_with
from tests.browser.steps import Photographer

INBOXES = {"bucket": "given up", "documents-folder": "under way", "another": "delivered"}


def add_troubles(demo: Demo, bundle_id: str) -> None:
    """Deliveries of that bundle to other inboxes: given up after some tries, under way, arrived after a failure."""
    with service_with(demo, 1) as services, services.database.write() as db:
        bundle, now = db.get_one(Bundle, bundle_id), services.clock()
        deliveries.queue(db, bundle, INBOXES, 1, now)
        for row in db.query(Delivery).filter(Delivery.bundle_id == bundle_id, Delivery.inbox.in_(INBOXES)):
            row.state, row.attempts, row.fence = INBOXES[row.inbox], 5, 5
            row.last_error = "s3-away" if row.inbox == "bucket" else ""
            row.handed_at, row.delivered_at = now, now if row.state == "delivered" else None
            for number in range(1, 5):
                code, at = ("s3-away", "s3-refused", "folder-full", "odd")[number % 4], now + timedelta(minutes=number)
                db.add(DeliveryTry(delivery_id=row.id, number=number, at=at, error=code))


@pytest.mark.parametrize(("width", "script"), [(1280, True), (360, False)], ids=["desk", "phone-no-script"])
def test_deliveries(browser: Browser, demo: Demo, staff: Any, width: int, script: bool) -> None:
    """What was given up stands on top with its tries in words, and is sent again by keyboard; axe finds nothing."""
    look = Photographer(browser, f"deliveries-{width}{'' if script else '-no-script'}", script=script)
    add_troubles(demo, send_bundle(demo, [drawn()], label="Mrs Whitcombe"))
    with visit(browser, viewport={"width": width, "height": 800}, storage_state=staff, java_script_enabled=script) as page:
        page.goto(f"{demo.origin}/staff/")
        page.get_by_role("link", name="See which, and send them again").press("Enter")
        expect(page.get_by_role("heading", name="Not there yet")).to_be_visible()
        top = page.get_by_role("listitem").filter(has_text="Not delivered").first
        expect(top).to_contain_text("The bucket did not answer in time")
        look.look(page, "deliveries")
        top.get_by_role("button", name="Send again").press("Enter")
        expect(page.get_by_role("heading", name="Deliveries")).to_be_visible()
        look.look(page, "sent-again")
        if script:
            before = page.locator("details").filter(has_text="What failed before").first
            before.locator("summary").press("Enter")
            expect(before.get_by_text("There is no room left in the folder.")).to_be_visible()
