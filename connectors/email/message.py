"""One message as it travels: its headers made by us, no line of them by anybody else."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from connectors.base import PermanentFailure
from connectors.email.addresses import MOST_RECIPIENTS, Mailbox, mailboxes, once
from core.smtp import SmtpSettings
from core.values import Value


class Letter(Value):
    """What a person would send."""

    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    subject: str
    text: str

    @property
    def recipients(self) -> list[Mailbox]:
        """Everybody who gets it, once."""
        return once((*self.to, *self.cc))


def letter_of(to: Sequence[str], cc: Sequence[str], subject: str, text: str) -> Letter:
    """Check what is to be sent; raises PermanentFailure that says what is wrong with it."""
    if any(ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0 or one in "\u2028\u2029" for one in subject):  # noqa: PLR2004
        raise PermanentFailure("The subject must be one line, without control characters.")
    letter = Letter(to=tuple(mailboxes(to)), cc=tuple(mailboxes(cc)), subject=subject.strip(), text=text)
    if len(letter.recipients) > MOST_RECIPIENTS:
        raise PermanentFailure(f"It must not go to more than {MOST_RECIPIENTS} people.")
    return letter


def message_id(settings: SmtpSettings, key: str) -> str:
    """Give the id of a call's message: the same however often it is made."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{settings.from_address.rpartition('@')[2].lower()}>"


def compose(letter: Letter, settings: SmtpSettings, key: str, at: datetime) -> EmailMessage:
    """Write the message; `key` is the call's idempotency key, `at` its date."""
    message = EmailMessage(policy=SMTP)
    local, _, domain = settings.from_address.rpartition("@")
    message["From"] = Address(settings.from_name, local, domain)
    message["To"] = [Address("", one.local, one.domain) for one in letter.to]
    if letter.cc:
        message["Cc"] = [Address("", one.local, one.domain) for one in letter.cc]
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id(settings, key)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(letter.text, charset="utf-8", cte=None if letter.text.isascii() else "base64")
    return message
