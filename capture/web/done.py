"""What a staff page says on top after something was done there: one of these sentences, which its address names."""

from flask import request

DONE = {
    "template-saved": "The template is saved.",
    "template-deleted": "The template is deleted.",
    "role-changed": "What this person may do is saved. It counts from now on.",
    "member-removed": "This person is no longer a member, and was signed out.",
    "invitation-withdrawn": "The invitation is taken back. Its link no longer works.",
    "more-time": "The link has more time now.",
    "cancelled": "The request is cancelled. Its link no longer works.",
    "deleted": "The request is deleted for good.",
    "not-attached": "Taken back. These photos are not with the referral.",
}
"""By the word of the address (`did=`): a closed list, since an address stands in histories and logs and anyone can make one."""


def what_was_done() -> dict[str, str]:
    """For the templates."""
    return {"done_text": DONE.get(request.args.get("did", ""), "")}
