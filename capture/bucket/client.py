"""Requests to a bucket of S3 by boto3, and what went wrong with them as one of our errors (docs/errors.md, "S3").

No error and no log holds a key or a secret.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)

from capture.errors import CaptureError, NotFound, Unavailable
from capture.outbound import check_address

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

Value = TypeVar("Value")
AWAY, DAMAGED, ELSEWHERE, FAILED, NO_BUCKET, NO_KEY, REFUSED, TAKEN = (
    "s3-away",
    "s3-damaged",
    "s3-elsewhere",
    "s3-failed",
    "s3-no-bucket",
    "s3-no-key",
    "s3-refused",
    "s3-taken",
)
_HINTS = {
    AWAY: "it does not answer in time, or says that it cannot just now",
    DAMAGED: "what it has is not what was sent",
    ELSEWHERE: "it says that the bucket is in another region or at another address: correct region and endpoint",
    FAILED: "it answers something that is not expected of it",
    NO_BUCKET: "there is none of that name: make it, or correct the name",
    NO_KEY: "there is no access key that can be read: see access_key and secret_file, or the credentials of this user",
    REFUSED: "it refuses the access key or what is asked with it, or the clock of this machine is wrong",
    TAKEN: "something else lies there under the same name",
    "no-space": "the quota of the bucket or of its owner is used up",
}
_CODES = {
    "NoSuchBucket": NO_BUCKET,
    "QuotaExceeded": "no-space",
    "BadDigest": DAMAGED,
    "InvalidDigest": DAMAGED,
    "XAmzContentSHA256Mismatch": DAMAGED,
    "AuthorizationHeaderMalformed": ELSEWHERE,
    "IllegalLocationConstraintException": ELSEWHERE,
    "ConditionalRequestConflict": AWAY,  # another upload of the same name is being ended
    "RequestTimeout": AWAY,
}
_STATUSES = {401: REFUSED, 403: REFUSED, 408: AWAY, 409: TAKEN, 412: TAKEN, 429: AWAY}


@dataclass(frozen=True)
class Access:
    """Which bucket, and how one gets at it.

    Without `endpoint` it is at AWS. Without `access_key` and `secret_file` the credentials are those of the usual chain of AWS's
    tools; the metadata service of the machine belongs to it only with `machine_role`.
    """

    name: str
    endpoint: str = ""
    region: str = "eu-west-2"
    access_key: str = ""
    secret_file: Path | None = None
    machine_role: bool = False
    ca_file: Path | None = None
    connect_seconds: int = 3
    read_seconds: int = 10

    @property
    def where(self) -> str:
        """What an operator calls it."""
        return f"bucket {self.name} at {self.endpoint or f'AWS ({self.region})'}"


@dataclass
class Client:
    """Asks for one bucket. The connection is made when it is first needed, and kept; it serves all threads."""

    access: Access
    _made: "S3Client | None" = field(default=None, init=False, repr=False)
    _making: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def ask(self, operation: str, **words: Any) -> dict[str, Any]:
        """One request, tried once; NotFound, or Unavailable with one of the codes above."""
        try:
            return self.ours(lambda: getattr(self._client(), operation)(Bucket=self.access.name, **words))
        except Unavailable as error:
            if error.code in {REFUSED, NO_KEY}:
                self._made = None  # the next request reads the secret again
            raise

    def ours(self, act: Callable[[], Value]) -> Value:
        """What that gives; what boto3 raises of it is raised as one of our errors."""
        try:
            return act()
        except ClientError as error:
            raise self._answered(error) from None
        except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError):
            raise self.error(NO_KEY) from None
        except SSLError:
            raise self.error(AWAY, "its certificate is not trusted, or it speaks no TLS: see ca_file") from None
        except (BotoCoreError, OSError) as error:
            raise self.error(AWAY, f"{_HINTS[AWAY]} ({type(error).__name__})") from None

    def error(self, code: str, what: str = "") -> Unavailable:
        """An error of that code, with what an operator is to know."""
        return Unavailable(code=code, hint=f"{self.access.where}: {what or _HINTS[code]}")

    def _answered(self, error: ClientError) -> CaptureError:
        said, status = error.response.get("Error", {}).get("Code", ""), error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = _CODES.get(said) or _STATUSES.get(status)
        if code is None and status == 404:
            return NotFound("It is not in the bucket.")
        if code is None:
            code = AWAY if status >= 500 else ELSEWHERE if 300 <= status < 400 else FAILED
        told = said if said.isalnum() and len(said) < 60 else status
        return self.error(code, f"{_HINTS[code]} ({told})")

    def _client(self) -> "S3Client":
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> "S3Client":
        logging.getLogger("botocore").setLevel(logging.WARNING)  # below that it tells what it signs
        access, core = self.access, botocore.session.Session()
        core.set_config_variable("ignore_configured_endpoint_urls", True)
        if access.secret_file:
            try:
                core.set_credentials(access.access_key, access.secret_file.read_text("utf-8").strip())
            except (OSError, ValueError):
                raise self.error(NO_KEY) from None
        elif not access.machine_role:
            for provider in ("iam-role", "container-role"):
                core.get_component("credential_provider").remove(provider)
        config = Config(
            signature_version="s3v4",
            connect_timeout=access.connect_seconds,
            read_timeout=access.read_seconds,
            retries={"mode": "standard", "total_max_attempts": 1},  # whoever asks knows when to ask again
            s3={"addressing_style": "path" if access.endpoint else "virtual"},
            proxies={},
            request_checksum_calculation="when_required",  # a checksum goes along by name (objects.py), never as a trailer
            response_checksum_validation="when_required",
        )
        client: S3Client = boto3.Session(botocore_session=core).client(
            "s3",
            region_name=access.region,
            endpoint_url=access.endpoint or None,
            verify=str(access.ca_file) if access.ca_file else None,
            config=config,
        )
        client.meta.events.register("before-send.s3", _check)
        client.meta.events.register_last("before-parameter-build.s3", _stay)
        return client


def _check(request: Any, **_: Any) -> None:
    """SECURITY 43, for every request when it is about to leave."""
    check_address(request.url)


def _stay(context: dict[str, Any], **_: Any) -> None:
    """Tell botocore that it has followed a redirect to another region already, so that it follows none."""
    context["s3_redirect"]["redirected"] = True
