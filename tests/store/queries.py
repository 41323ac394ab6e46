"""Every query of the store, as pages, the API, phones and workers ask it, of the first practice of a database (england.py).

Plans are looked at and times taken of what stands here. What a new function of the store asks belongs here too: test_plans.py
names those that nothing here calls.
"""

from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from capture.domain.following import GROUPS, TO_DO, matcher
from capture.domain.requests import State
from capture.store import (
    audit,
    deletions,
    deliveries,
    delivery_list,
    figures,
    invitations,
    key_changes,
    key_tests,
    listings,
    members,
    messages,
    openid,
    pages,
    passkeys,
    photos,
    practices,
    recipients,
    recovery_codes,
    request_templates,
    requests,
    scrubbing,
    sessions,
    tokens,
    unlockers,
    webhooks,
)
from capture.store.models import Request, new_id
from tests.store.asked import (
    OLD_PLACE,
    SECRETS,
    WEEKS,
    Asked,
    add_key,
    compare_ends,
    damage,
    follow,
    hurry,
    invite_one,
    move,
    new_member,
    note_ends,
    prove,
    queue_text,
    restored,
    save_template,
    scrub,
    send,
    settle_delivery,
    settle_event,
    settle_message,
    use,
    wait_for,
)
from tests.store.england import DAY, NOW
from tests.store.rows import add_photo, add_request

Query = Callable[[Session, Asked], object]


def list_page(states: frozenset[State], db: Session, asked: Asked) -> list[Request]:
    """A page of the inbox."""
    return listings.list_page(db, asked.practice.id, states, NOW, skip=0, limit=25)


PATIENT: dict[str, Query] = {
    "find a request by its link": lambda db, a: requests.find_by_token(db, a.request.token_hash),
    "find a request by the link to another phone": lambda db, a: requests.find_by_hand_over(db, str(a.request.hand_over_hash)),
    "count a guess": lambda db, a: requests.reserve_guess(db, a.request.id, NOW),
    "forgive a guess": lambda db, a: requests.forgive_guess(requests.lock_request(db, a.request.id)),
    "lock a link": lambda db, a: requests.lock_link(db, requests.lock_request(db, a.request.id), NOW),
    "start a session": lambda db, a: sessions.start_session(db, "patient", now=NOW, request_id=a.request.id),
    "find a session": lambda db, a: sessions.find_session(db, a.cookie, "patient", NOW),
    "note that a session is in use": lambda db, a: use(db, a.cookie),
    "keep what was answered": lambda db, a: requests.keep_answers(db, requests.lock_request(db, a.request.id), requests.Answers()),
    "read what was asked": lambda db, a: requests.answers_of(db, requests.lock_request(db, a.request.id)),
    "photos of a request": lambda db, a: photos.current_photos(db, a.request.id),
    "count the photos of a view": lambda db, a: photos.count_photos(db, a.request.id, "context"),
    "find a photo": lambda db, a: photos.find_photo(db, a.photo.id),
    "what is known of a photo": lambda db, a: photos.facts_of(db, photos.find_photo(db, a.photo.id) or a.photo),
    "a photo arrives": lambda db, a: add_photo(db, requests.lock_request(db, a.request.id)),
    "a photo is refused": lambda db, a: requests.count_refusal(db, a.request.id, 1),
    "bundle of a request": lambda db, a: photos.bundle_of_request(db, a.sent.id),
    "photos are sent": lambda db, a: send(db, a.request.id),
    "turn sessions into receipts": lambda db, a: sessions.keep_receipts(db, a.request.id, NOW),
}
STAFF: dict[str, Query] = {
    "sign in: find a member": lambda db, a: members.find_member(db, a.member.email),
    "sign in: its practices": lambda db, a: members.list_memberships(db, a.member.id),
    "sign in: spend a code": lambda db, a: members.spend_code_step(db, a.member.id, 1),
    "sign in: spend a recovery code": lambda db, a: recovery_codes.spend_code(db, a.member.id, a.codes[0]),
    "sign in: find a passkey": lambda db, a: passkeys.find_passkey(db, a.passkey.credential),
    "sign in: note a passkey's use": lambda db, a: passkeys.note_use(db, a.passkey, 1, NOW),
    "sign in: account elsewhere": lambda db, _: openid.find_member(db, "https://one.example", "one"),
    "session: what it waits for": wait_for,
    "session: other practice": lambda db, a: sessions.replace_session(db, a.cookie, a.practice.id),
    "session: sign out": lambda db, a: sessions.end_session(db, a.cookie),
    "session: sign out everywhere": lambda db, a: sessions.end_sessions_of_member(db, a.member.id, practice_id=a.practice.id),
    "inbox: counts of groups": lambda db, a: listings.count_states(db, a.practice.id, NOW),
    **{f"inbox: {group.title}": partial(list_page, group.states) for group in GROUPS},
    "inbox: everything else": partial(list_page, frozenset(State) - TO_DO.states),
    "inbox: photos of each": lambda db, a: listings.count_photos(db, a.some),
    "inbox: bundle of each": lambda db, a: listings.bundle_ids(db, a.some),
    "inbox: damage of each": lambda db, a: scrubbing.damages_of(db, a.some),
    "inbox: search": lambda db, a: listings.search(db, a.practice.id, matcher("patient 1"), "0000001"),
    "inbox: what was found": lambda db, a: listings.list_by_ids(db, a.practice.id, a.some),
    "ask: issued before?": lambda db, a: requests.find_by_issue_key(db, a.practice.id, a.request.issue_key),
    "ask: issue a link": lambda db, a: add_request(db, a.practice.id),
    "ask: templates": lambda db, a: request_templates.list_templates(db, a.practice.id),
    "ask: one template": lambda db, a: request_templates.find_template(db, a.practice.id, a.template.id),
    "ask: save a template": lambda db, a: save_template(db, a.practice.id, "Another"),
    "request: find": lambda db, a: requests.details_of(db, requests.find_request(db, a.practice.id, a.request.id)),
    "request: find by receipt": lambda db, a: requests.find_by_receipt(db, a.practice.id, a.request.receipt),
    "requests: in one state": lambda db, a: requests.list_requests(db, a.practice.id, [State.COLLECTED], 50),
    "request: its case": lambda db, a: requests.list_case(db, a.request),
    "request: timeline": lambda db, a: audit.list_events(db, a.practice.id, a.request.id),
    "request: names in it": lambda db, a: listings.names_of(db, [a.member.id, a.token.actor]),
    "request: messages": lambda db, a: messages.list_messages(db, a.request.id),
    "request: cancel": lambda db, a: move(db, a.request.id, State.CANCELLED),
    "bundles: not opened": lambda db, a: photos.list_unread(db, a.practice.id),
    "bundles: one": lambda db, a: photos.find_bundle(db, a.practice.id, a.bundle.id),
    "bundles: arrived everywhere?": lambda db, a: deliveries.all_delivered(db, a.bundle.id),
    "deliveries: not there yet": lambda db, a: delivery_list.list_open(db, a.practice.id, 100),
    "deliveries: arrived": lambda db, a: delivery_list.list_arrived(db, a.practice.id, 51),
    "deliveries: arrived, older": lambda db, a: delivery_list.list_arrived(db, a.practice.id, 51, a.delivery.id),
    "deliveries: their tries": lambda db, a: delivery_list.tries_of(db, [a.delivery.id]),
    "deliveries: any that failed?": lambda db, a: delivery_list.any_failed(db, a.practice.id),
    "deliveries: whose": lambda db, a: delivery_list.practice_of(db, a.delivery.id),
    "deliveries: hurry": hurry,
    "audit: newest": lambda db, a: audit.search(db, a.practice.id, audit.Wanted(), before=None, limit=51),
    "audit: of one kind": lambda db, a: audit.search(db, a.practice.id, audit.Wanted("request sent"), before=None, limit=51),
    "audit: of one member": lambda db, a: audit.search(db, a.practice.id, audit.Wanted(actor=a.member.id), before=None, limit=51),
    "audit: of one request": lambda db, a: audit.search(
        db, a.practice.id, audit.Wanted(subject=a.request.id), before=None, limit=51
    ),
    "audit: of one week": lambda db, a: audit.search(
        db, a.practice.id, audit.Wanted(since=WEEKS[0], until=WEEKS[1]), before=None, limit=51
    ),
    "audit: kinds": lambda db, a: audit.list_actions(db, a.practice.id),
    "audit: actors": lambda db, a: audit.list_actors(db, a.practice.id),
    "audit: names": lambda db, a: audit.names_of(db, a.practice.id, [a.member.id, *a.some]),
    "audit: how much there is": lambda db, a: audit.span(db, a.practice.id),
    "audit: walk the chain": lambda db, a: audit.check_chain(db, a.practice.id),
    "audit: add an event": lambda db, a: audit.append(db, a.practice.id, actor="x", action="x", subject="x", at=NOW),
    "dashboard: weeks": lambda db, a: figures.count_by_week(db, a.practice.id, ("request sent", "request submitted"), WEEKS),
    "dashboard: kept photos": lambda db, a: figures.count_requests(db, a.practice.id, "photo kept", WEEKS[0]),
    "dashboard: times": lambda db, a: figures.times_to_photos(db, a.practice.id, WEEKS[0]),
    "dashboard: bytes": lambda db, a: figures.bytes_stored(db, a.practice.id),
    "dashboard: waiting": lambda db, a: figures.waiting(db, a.practice.id),
    "practice: find": lambda db, a: practices.find_practice(db, a.practice.ods),
    "practice: add": lambda db, _: practices.insert_practice(db, ods="Z99999", name="Z", phone="1", now=NOW),
    "members: list": lambda db, a: members.list_members(db, a.practice.id),
    "members: add": lambda db, a: members.add_to_practice(db, new_member(db), a.practice.id, "reader"),
    "members: renew": lambda db, _: members.renew_member(db, new_id(), email="renewed@z.example", **SECRETS),
    "members: change a role": lambda db, a: members.change_role(db, a.practice.id, a.member.id, "manager"),
    "members: new proofs": prove,
    "members: passkeys": lambda db, a: passkeys.list_passkeys(db, a.member.id),
    "members: forget a passkey": lambda db, a: passkeys.delete_passkey(db, a.member.id, a.passkey.id),
    "members: forget passkeys": lambda db, a: passkeys.delete_passkeys(db, a.member.id),
    "members: recovery codes": lambda db, a: recovery_codes.count_codes(db, a.member.id),
    "members: invitations": lambda db, a: invitations.list_invitations(db, a.practice.id, NOW),
    "members: find an invitation": lambda db, _: invitations.find_invitation(db, "one@new.example", NOW),
    "members: use an invitation": lambda db, a: invitations.use_invitation(db, a.invitation.id, NOW),
    "members: invite": lambda db, a: invite_one(db, a.practice.id, a.member.id, "two@new.example"),
    "members: take an invitation back": lambda db, a: invitations.delete_invitation(db, a.practice.id, a.invitation.id),
    "members: end what one has invited": lambda db, a: invitations.delete_invitations_by(db, a.practice.id, a.member.id),
    "keys: can it ask": lambda db, a: recipients.is_live(db, a.practice.id),
    "keys: to seal to": lambda db, a: recipients.current_keys(db, a.practice.id),
    "keys: ever in use": lambda db, a: recipients.was_live(db, a.practice.id),
    "keys: identities": lambda db, a: recipients.list_identities(db, a.practice.id),
    "keys: find": lambda db, a: recipients.find_recipient(db, a.practice.id, a.recipient.id),
    "keys: add and forget": lambda db, a: add_key(db, a.practice.id),
    "keys: change that waits": lambda db, a: key_changes.waiting_change(db, a.practice.id),
    "keys: one change": lambda db, a: key_changes.find_change(db, a.practice.id, a.change.id),
    "keys: changes": lambda db, a: key_changes.list_changes(db, a.practice.id),
    "keys: news": lambda db, a: key_changes.news_at(db, a.practice.id, a.member.id),
    "keys: news read": lambda db, a: key_changes.note_seen(db, a.practice.id, a.member.id, NOW),
    "keys: test that waits": lambda db, a: key_tests.find_waiting(db, a.practice.id, "answer", NOW),
    "keys: tests answered": lambda db, a: key_tests.list_answered(db, a.practice.id),
    "keys: forget tests": lambda db, a: key_tests.forget_tests(db, a.recipient.id),
    "keys: unlockers of one": lambda db, a: unlockers.find_unlocker(db, a.practice.id, a.member.id, a.unlocker.id),
    "keys: unlockers of all": lambda db, a: unlockers.list_all_unlockers(db, a.practice.id),
    "keys: forget unlockers": lambda db, a: unlockers.delete_unlockers(db, a.practice.id, a.member.id),
}
SYSTEMS: dict[str, Query] = {
    "find a token": lambda db, a: tokens.find_live(db, a.token_text, NOW),
    "note that a token is in use": lambda db, a: tokens.touch(db, a.token, NOW),
    "list tokens": lambda db, a: tokens.count_live(db, a.practice.id, NOW),
    "revoke a token": lambda db, a: tokens.revoke(db, a.practice.id, a.token.id, NOW),
    "requests, from the first": lambda db, a: pages.page_requests(db, a.practice.id, limit=51),
    "requests, further on": lambda db, a: pages.page_requests(db, a.practice.id, after=OLD_PLACE, limit=51),
    "requests that changed today": lambda db, a: pages.page_requests(db, a.practice.id, since=NOW - DAY, limit=51),
    "requests in one state": lambda db, a: pages.page_requests(db, a.practice.id, states=[State.ATTACHED], limit=51),
    "bundles that wait": lambda db, a: pages.page_bundles(db, a.practice.id, states=photos.UNREAD, limit=51),
    "bundles, further on": lambda db, a: pages.page_bundles(db, a.practice.id, states=[State.ATTACHED], after=OLD_PLACE, limit=51),
    "webhooks: list": lambda db, a: webhooks.list_webhooks(db, a.practice.id),
    "webhooks: find": lambda db, a: webhooks.find_webhook(db, a.practice.id, a.webhook.id),
    "webhooks: new secret": lambda db, a: webhooks.change_secret(db, a.webhook, NOW),
    "webhooks: what was sent": lambda db, a: webhooks.list_deliveries(db, a.webhook.id, 50),
    "webhooks: hurry": lambda db, a: webhooks.hurry(db, a.webhook, NOW),
    "webhooks: queue": lambda db, a: webhooks.queue_move(db, a.sent, 2_000_000, NOW),
    "webhooks: forget": lambda db, a: webhooks.delete_webhook(db, webhooks.find_webhook(db, a.practice.id, a.webhook.id)),
}
WORKER: dict[str, Query] = {
    "lease a delivery": lambda db, _: deliveries.lease_due(db, NOW),
    "settle a delivery": lambda db, _: settle_delivery(db),
    "follow a delivery": lambda db, _: follow(db),
    "lease a message": lambda db, _: messages.lease_due(db, NOW),
    "settle a message": lambda db, _: settle_message(db),
    "carrier's word on a message": lambda db, a: messages.note_delivery(db, queue_text(db, a.request), NOW, "number-refused"),
    "last notice of a practice": lambda db, a: messages.last_wanted(db, a.practice.id, "waiting", NOW),
    "drop a request's messages": lambda db, a: messages.note_over(db, a.request.id, NOW),
    "lease an event of a webhook": lambda db, _: webhooks.lease_due(db, NOW),
    "settle an event of a webhook": lambda db, _: settle_event(db),
    "deliveries that are late": lambda db, _: deliveries.list_late(db, NOW, NOW, 100),
    "reword a notice": lambda db, a: messages.reword(db, a.practice.id, "notice-arrived", "x"),
    "sweep events of webhooks": lambda db, _: webhooks.sweep(db, NOW),
    "links whose time is over": lambda db, _: requests.list_expired(db, NOW, 100),
    "links whose last guess broke off": lambda db, _: requests.list_guessed_out(db, NOW, 100),
    "forget links to other phones": lambda db, _: requests.forget_hand_overs(db, NOW),
    "practices to tell of photos": lambda db, _: listings.practices_with_unflagged(db),
    "photos to tell one of": lambda db, a: listings.list_unflagged(db, a.practice.id, NOW, 100),
    "note what is due to be deleted": lambda db, _: deletions.note_due(db, NOW, 100),
    "hold a request, if nobody else does": lambda db, a: requests.try_lock(db, a.request.id),
    "what was noted as due": lambda db, _: deletions.list_noted(db, NOW, 100),
    "delete a request": lambda db, a: deletions.erase(db, requests.lock_request(db, a.sent.id)),
    "is a part to be removed": lambda db, a: deletions.is_listed(db, a.photo.blob),
    "parts to remove": lambda db, _: deletions.forget_blobs(db, deletions.next_blobs(db, "", 100)),
    "scrub: parts to read": lambda db, _: scrubbing.next_parts(db, "8" * 32, "9" * 32, 100),
    "scrub: are they named": lambda db, a: scrubbing.named_blobs(db, [a.photo.blob]),
    "scrub: note damage": damage,
    "scrub: all damage": lambda db, _: scrubbing.list_damages(db, 20),
    "scrub: how far it is": lambda db, _: scrub(db),
}
SERVICE: dict[str, Query] = {
    "all practices": lambda db, _: practices.list_practices(db),
    "note the ends of all chains": lambda db, _: note_ends(db),
    "all bytes stored": lambda db, _: scrubbing.stored_bytes(db),
    "what a restore must learn": restored,
}
"""What looks at all there is by its nature: by command, or once an hour."""
BY_COMMAND: dict[str, Query] = {"compare the ends of all chains": lambda db, _: compare_ends(db)}
"""What walks through every practice's whole trail, for minutes or hours."""

ALL = {
    f"{face}: {name}": query
    for face, queries in {"patient": PATIENT, "staff": STAFF, "system": SYSTEMS, "worker": WORKER}.items()
    for name, query in queries.items()
}
