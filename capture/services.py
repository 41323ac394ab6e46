"""What an action works with: one value, made in `capture/app.py`, where the adapters are chosen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from capture.domain.openid import Provider
from capture.domain.presets import ReferralPreset
from capture.domain.protocols import Catalogue
from capture.domain.quality import Thresholds
from capture.inbox.base import Place
from capture.notify.base import Messenger
from capture.notify.webhooks import Webhooks
from capture.photos import Cleaner
from capture.photos.arriving import Arriving
from capture.sealing.keys import SigningKey
from capture.settings import Settings
from capture.store.blobs import BlobStore
from capture.store.database import Database
from capture.store.journal import Journal
from capture.store.vault import Vault


@dataclass(frozen=True)
class Services:
    """The adapters of this process and its clock (`clock()` is the time now, with its zone)."""

    settings: Settings
    catalogue: Catalogue
    thresholds: Thresholds
    presets: Mapping[str, ReferralPreset]
    vault: Vault
    signing_key: SigningKey
    database: Database
    journal: Journal
    blobs: BlobStore
    cleaner: Cleaner
    arriving: Arriving
    inboxes: Mapping[str, Place]
    messengers: Mapping[str, Messenger]
    webhooks: Webhooks
    providers: Mapping[str, Provider]
    clock: Callable[[], datetime]

    def inboxes_of(self, ods: str) -> list[str]:
        """The names of the inboxes that the bundles of that practice go to."""
        return [name for name, place in self.inboxes.items() if place.serves(ods)]

    def close(self) -> None:
        """Stop the cleaner's processes and give back the database's connections."""
        self.cleaner.close()
        self.database.close()
