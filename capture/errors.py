"""Every error the product raises on purpose.

    CaptureError                     500
    ├── PhotoRefused                 422   the picture cannot be taken; says why to a patient
    ├── BundleError                  422   a sealed bundle is not whole or not ours
    │   └── AgeError                 422   a file is not age, or not of a kind we support
    ├── BackupRefused                422   a backup, or the journal, is not as it was written
    ├── TokenRefused                 401   another system's token opens nothing
    ├── NotValid                     422   what another system sent is not as the API describes it
    ├── NotAllowed                   403   a policy says no
    ├── NotFound                     404
    ├── LinkClosed                   404   unknown, spent, cancelled: one answer for all
    ├── LinkExpired                  410
    ├── PhotosDeleted                410   the time for which they are kept is over
    ├── GuessingLimited              429   too many wrong dates of birth
    ├── Conflict                     409   the request has moved on
    │   └── WrongOffset              409   a chunk of a photo does not go on where the last one ended
    ├── TooMany                      429   a quota is used up
    ├── Undeliverable                422   a message can never reach that number or address
    ├── SettingsError                500   what an operator must put right
    ├── SourceAway                   503   what bundles are collected from is not there just now
    └── Unavailable                  503   cannot be done safely just now

Each class carries its HTTP status, a stable code and the sentence a person sees; an operator's error may carry a `hint`, printed on
a line of its own. A sentence never holds clinical or personal data.
"""


class CaptureError(Exception):
    """The root. `sentence` is for the person in front of the screen, `code` for programs, `hint` for the operator."""

    status = 500
    code = "error"
    sentence = "Something went wrong. Try again in a few minutes."

    def __init__(self, sentence: str | None = None, *, code: str | None = None, hint: str | None = None) -> None:
        self.sentence = sentence or self.sentence
        self.code = code or self.code
        self.hint = hint
        super().__init__(self.sentence)


def code_and_hint(error: Exception) -> tuple[str, str]:
    """What a log may say of any error: of one that nobody foresaw its kind, never its words (SECURITY 7)."""
    if isinstance(error, CaptureError):
        return error.code, error.hint or "no hint"
    return CaptureError.code, type(error).__name__


class PhotoRefused(CaptureError):
    """A picture that cannot be taken. `code` says why: see `capture/photos/__init__.py` for the list."""

    status = 422
    code = "not-a-picture"
    sentence = "This file is not a photo we can use. Choose a photo taken with a phone or camera."


class BundleError(CaptureError):
    """A bundle that is not whole, not signed by the pinned key, or not sealed to this identity."""

    status = 422
    code = "bundle-invalid"
    sentence = "This bundle is not valid."


class AgeError(BundleError):
    """Bytes that are not an age file, or are of a kind that is refused by name."""

    code = "age-invalid"
    sentence = "This is not a valid age file."


class BackupRefused(CaptureError):
    """A file of a backup, or of the journal, that was altered, cut short or taken away; the sentence names it."""

    status = 422
    code = "backup-altered"
    sentence = "This backup is not as it was written."


class TokenRefused(CaptureError):
    """No token, a malformed or unknown one, or one that is over or revoked: one answer for all."""

    status = 401
    code = "token-refused"
    sentence = "This needs a token that works, in the header Authorization: Bearer. Ask a manager of the practice for one."


class NotValid(CaptureError):
    """What another system sent is not as the API describes it; the sentence names the field."""

    status = 422
    code = "not-valid"
    sentence = "This is not as the API describes it."


class NotAllowed(CaptureError):
    """A policy says no; the sentence gives the reason."""

    status = 403
    code = "not-allowed"
    sentence = "You cannot do this."


class NotFound(CaptureError):
    """There is nothing here for this person."""

    status = 404
    code = "not-found"
    sentence = "Page not found."


class LinkClosed(CaptureError):
    """Unknown, malformed, spent, cancelled or locked: one class, so that there is one answer."""

    status = 404
    code = "link-closed"
    sentence = "This link does not work."


class LinkExpired(CaptureError):
    """The link was good and its time is over."""

    status = 410
    code = "link-expired"
    sentence = "This link has expired."


class PhotosDeleted(CaptureError):
    """There was a bundle, and the time for which its practice keeps it is over."""

    status = 410
    code = "photos-deleted"
    sentence = "These photos were deleted, because the time your practice keeps them is over."


class GuessingLimited(CaptureError):
    """Too many wrong dates of birth; try again later."""

    status = 429
    code = "guessing-limited"
    sentence = "Too many wrong answers. Wait a few minutes, then try again."

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class Conflict(CaptureError):
    """The request has moved on and this can no longer be done."""

    status = 409
    code = "conflict"
    sentence = "This can no longer be changed."


class WrongOffset(Conflict):
    """A chunk of a photo does not go on where the last one ended; `offset` bytes of it are here."""

    code = "wrong-offset"
    sentence = "A part of this photo is missing. Send the photo again."

    def __init__(self, offset: int) -> None:
        super().__init__()
        self.offset = offset


class TooMany(CaptureError):
    """A quota is used up."""

    status = 429
    code = "too-many"
    sentence = "You have sent as many photos as this link can take."


class Undeliverable(CaptureError):
    """A message that no later try can bring to that number or address."""

    status = 422
    code = "undeliverable"
    sentence = "This message cannot be delivered. Check the number or address."


class SettingsError(CaptureError):
    """The settings do not allow the service to start; `problems` lists every one of them."""

    code = "settings"
    sentence = "The settings are not right."

    def __init__(self, problems: list[str], *, hint: str | None = None) -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class SourceAway(CaptureError):
    """What a practice collects its bundles from is not there just now; `retry_after` seconds where it says when to come again."""

    status = 503
    code = "source-away"
    sentence = "What bundles are collected from does not answer."

    def __init__(
        self, sentence: str | None = None, *, code: str | None = None, hint: str | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(sentence, code=code, hint=hint)
        self.retry_after = retry_after


class Unavailable(CaptureError):
    """Cannot be done safely just now: no valid key, no space, a busy database."""

    status = 503
    code = "unavailable"
    sentence = "This service is not available at the moment. Nothing was lost. Try again later."
