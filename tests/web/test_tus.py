"""Photos in chunks: every rule of tus 1.0 that applies, and SECURITY 11, 12, 15, 19, 20 and 29 for them."""

import base64
import secrets

from capture.services import Services
from tests.builders import ARequest, photo_bytes, photos_of
from tests.web.html import Page, Visitor

CHUNK = 524_288
TYPE = "application/offset+octet-stream"


class Phone:
    """A browser that has agreed, as its script speaks."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.token = visitor, visitor.csrf("/photos/close-up")

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Page:
        sent = {"Tus-Resumable": "1.0.0", "X-CSRFToken": self.token} | {name.replace("_", "-"): text for name, text in headers.items()}
        return self.visitor.open(method, path, data=body, headers={name: text for name, text in sent.items() if text})

    def create(self, photo_id: str, length: int, view: str = "close-up", **more: str) -> Page:
        return self.ask("POST", "/uploads", Upload_Length=str(length), Upload_Metadata=self.about(photo_id, view, **more))

    def about(self, photo_id: str, view: str = "close-up", **more: str) -> str:
        named = {"view": view, "photo": photo_id, "request": self.visitor.request_id, "anyway": "0"} | more
        return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in named.items())

    def patch(self, photo_id: str, offset: int, chunk: bytes, **headers: str) -> Page:
        return self.ask("PATCH", f"/uploads/{photo_id}", chunk, Upload_Offset=str(offset), **{"Content_Type": TYPE, **headers})

    def head(self, photo_id: str) -> Page:
        return self.ask("HEAD", f"/uploads/{photo_id}")

    def send(self, photo: bytes, photo_id: str = "", view: str = "close-up", chunk: int = CHUNK) -> Page:
        """All of it: the answer to the last chunk."""
        photo_id = photo_id or secrets.token_hex(16)
        assert self.create(photo_id, len(photo), view).status == 201
        for offset in range(0, len(photo), chunk):
            page = self.patch(photo_id, offset, photo[offset : offset + chunk])
            if page.status != 204:
                return page
        return page


def test_a_photo_in_chunks(agreed: Visitor, services: Services, asked: ARequest) -> None:
    """A photo that comes in chunks is here once the last of them is answered with 204, and nothing of it is left in memory."""
    phone, photo, photo_id, free = Phone(agreed), photo_bytes(), secrets.token_hex(16), services.arriving.free
    page = phone.send(photo, photo_id, chunk=30_000)
    assert (page.status, page.headers["Upload-Offset"]) == (204, str(len(photo)))
    assert [one.id for one in photos_of(services, asked)] == [photo_id]
    assert services.arriving.free == free
    assert phone.ask("GET", f"/uploads/{photo_id}").json["arrived"] == 1
