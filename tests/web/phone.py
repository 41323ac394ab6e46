"""A patient's phone as the pages' script speaks: photos in pieces, by tus 1.0."""

import base64
import secrets

from tests.web.html import Page, Visitor

CHUNK = 524_288
TYPE = "application/offset+octet-stream"


class Phone:
    """The browser of someone who has agreed, and a token for what it asks."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.token = visitor, visitor.csrf("/photos/close-up")

    def ask(self, method: str, path: str, body: bytes = b"", /, **headers: str) -> Page:
        """With the headers that every request needs; one that is given as an empty text is left out."""
        given = {"Tus_Resumable": "1.0.0", "X_CSRFToken": self.token} | headers
        named = {name.replace("_", "-"): text for name, text in given.items() if text}
        return self.visitor.open(method, path, data=body, headers=named)

    def about(self, photo_id: str, **named: str) -> str:
        """The value of Upload-Metadata; what is given as an empty text is left out."""
        values = {"view": "close-up", "photo": photo_id, "request": self.visitor.request_id, "anyway": "0"} | named
        return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in values.items() if text)

    def create(self, photo_id: str, length: int, **named: str) -> Page:
        return self.ask("POST", "/uploads", Upload_Length=str(length), Upload_Metadata=self.about(photo_id, **named))

    def patch(self, photo_id: str, offset: int, chunk: bytes, **headers: str) -> Page:
        given = {"Upload_Offset": str(offset), "Content_Type": TYPE} | headers
        return self.ask("PATCH", f"/uploads/{photo_id}", chunk, **given)

    def head(self, photo_id: str) -> Page:
        return self.ask("HEAD", f"/uploads/{photo_id}")

    def offset(self, photo_id: str) -> int:
        """How much is here, as HEAD says."""
        page = self.head(photo_id)
        assert page.status == 200
        return int(page.headers["Upload-Offset"])

    def delete(self, photo_id: str) -> Page:
        return self.ask("DELETE", f"/uploads/{photo_id}")

    def begin(self, photo: bytes, *, come: int = 0, **named: str) -> str:
        """A photo on its way, of which so many bytes are here: its id."""
        photo_id = secrets.token_hex(16)
        assert self.create(photo_id, len(photo), **named).status == 201
        if come:
            assert self.patch(photo_id, 0, photo[:come]).status == 204
        return photo_id

    def send(self, photo: bytes, photo_id: str = "", *, size: int = CHUNK, **named: str) -> Page:
        """All of it, in pieces of that size: the answer to the last one, or to the first that was not taken."""
        photo_id = photo_id or secrets.token_hex(16)
        page = self.create(photo_id, len(photo), **named)
        for offset in range(0, len(photo), size):
            if page.status >= 400:
                break
            page = self.patch(photo_id, offset, photo[offset : offset + size])
        return page


def refused(page: Page, status: int, code: str = "") -> str:
    """That it is refused, as a program is told; the sentence."""
    assert page.status == status, page.data
    if page.data:  # HEAD has none
        assert page.headers["Content-Type"] == "application/json"
        error = page.json["error"]
        assert set(error) == {"code", "sentence"}
        assert error["sentence"].endswith((".", "!"))
        assert code in {"", error["code"]}
        return str(error["sentence"])
    return ""
