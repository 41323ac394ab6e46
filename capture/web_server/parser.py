"""One request as it comes in: where its body goes, when it is late, and whether a photo must be cleaned for it."""

import re
import time
from typing import Protocol

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, Error

from capture.web_server.bodies import Body, Limits, Memory

HEAD_SECONDS, FORM_SECONDS, PHOTO_SECONDS, LONGEST_SECONDS = 15, 30, 300, 3_600
"""For a request's head; for a form and for a photo at no speed worth the name; for anything."""
SLOWEST = 4_000
"""Bytes a second: a body that comes quicker has all its time, up to the longest."""


class Pieces(Protocol):
    """Photos that come in pieces, as far as this module must know of them."""

    def may_finish(self, photo_id: str, end: int) -> bool:
        """Whether a piece that ends there may be the last one, after which the photo is cleaned."""

    def sweep(self) -> None:
        """Forget those whose time is over; asked for once a second."""


class Busy(Error):  # type: ignore[misc]
    """No memory for this body, or too many photos before it."""

    code, reason = 503, "Service Unavailable"


class LengthRequired(BadRequest):  # type: ignore[misc]
    """Browsers say how long a body is; chunks that do not end would be gathered without a limit."""

    code, reason = 411, "Length Required"


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """One request as it comes in."""

    command = path = ""
    empty: bool
    error: Error | None

    def __init__(self, adj: Adjustments, *, memory: Memory, limits: Limits) -> None:
        super().__init__(adj)
        self.began = time.time()
        self._memory, self._limits = memory, limits

    @property
    def is_photo(self) -> bool:
        """Whether it brings a photo, as far as the address says."""
        return self.command == "POST" and self.path.startswith("/photos/")

    @property
    def is_piece(self) -> bool:
        """Whether it brings a piece of a photo."""
        return self.command == "PATCH" and self.path.startswith("/uploads/")

    def must_clean(self, pieces: Pieces) -> bool:
        """Whether a photo has to be cleaned before this can be answered."""
        offset = self.headers.get("UPLOAD_OFFSET", "")
        if not self.is_piece or not re.fullmatch("[0-9]{1,15}", offset):
            return self.is_photo
        return pieces.may_finish(self.path.rpartition("/")[2], int(offset) + self.body_bytes_received)

    @property
    def due(self) -> float:
        """When it must be whole, in seconds since 1970."""
        if not self.headers_finished:
            return self.began + HEAD_SECONDS
        patience = PHOTO_SECONDS if self.is_photo or self.is_piece else FORM_SECONDS
        return self.began + float(min(patience + self.body_bytes_received / SLOWEST, LONGEST_SECONDS))

    def received(self, data: bytes) -> int:
        """Take some of it in; how many bytes were of this request."""
        consumed: int = super().received(data)
        if self.empty:  # blank lines come before a request, and are none that would start its time anew
            self.empty = self.completed = self.headers_finished = False
            self.header_plus = b""
        if self.chunked and not self.error:
            self.error, self.completed = LengthRequired(""), True
        elif self.completed and self.body_rcv is not None and self.body_rcv.buf.crowded_out:
            self.error = Busy("")
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head, and choose where the body goes."""
        try:
            super().parse_header(header_plus)
        except ValueError:  # such as a length of 5,000 digits
            raise ParsingError("") from None
        if self.body_rcv is not None:  # while empty it is falsy
            limits = self._limits
            most = limits.photo if self.is_photo else limits.piece if self.is_piece else limits.form
            self.body_rcv.buf = Body(most, self._memory)
