"""How messages leave: texts by GOV.UK Notify, e-mails by SMTP. What is not configured is not there, and no page offers it."""

from capture.notify.base import Messenger
from capture.notify.mail import Mail
from capture.settings import ROOT, Settings


def choose_messengers(settings: Settings) -> dict[str, Messenger]:
    """The messengers that the settings name, under "sms" and "email"."""
    chosen: dict[str, Messenger] = {}
    if settings.notify_key_file:
        from capture.notify.sms import Notify

        key = ROOT / settings.notify_key_file
        chosen["sms"] = Notify(key, settings.notify_template, settings.notify_url, settings.message_seconds)
    if settings.mail_host:
        chosen["email"] = Mail(
            host=settings.mail_host,
            port=settings.mail_port,
            security=settings.mail_security,
            sender=settings.mail_from,
            user=settings.mail_user,
            password_file=ROOT / settings.mail_password_file if settings.mail_password_file else None,
            ca_file=ROOT / settings.mail_ca_file if settings.mail_ca_file else None,
            timeout=settings.message_seconds,
        )
    return chosen
