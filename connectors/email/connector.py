"""Messages by mail: shown whole before they are sent, sent once, or said to be in doubt."""

import ssl
from pathlib import Path
from typing import Any

from connectors.base import CallContext, Change, Preview
from connectors.email.addresses import Mailbox, warnings
from connectors.email.message import Letter, compose, letter_of, message_id
from connectors.email.server import MailServer
from connectors.manifest import load_manifest
from core.clock import now
from core.smtp import SmtpSettings
from core.text import has_hidden, reveal

_MARGIN_SECONDS = 3.0
"""What is kept of the time for a call: what came of it is said by us, not by the clock."""
_PROBE_SECONDS = 10.0
_SUBJECT_SHOWN = 80


class EmailConnector:
    """Sends mail by the server of the settings."""

    manifest = load_manifest(Path(__file__).parent)

    def __init__(self, settings: SmtpSettings, tls: ssl.SSLContext | None = None) -> None:
        """Take the mail server; `tls` only where it has a certificate of its own."""
        self._settings = settings
        self._server = MailServer(settings, tls)

    @property
    def service(self) -> str:
        """The mail server, by host and port."""
        return f"{self._settings.host}:{self._settings.service_port}"

    def host_of(self, _action: str, _arguments: dict[str, Any]) -> str:
        """Name the mail server."""
        return self.service

    async def probe(self) -> None:
        """Connect to the mail server and sign in, sending nothing; raises a ConnectorError."""
        await self._server.probe(_PROBE_SECONDS)

    async def preview(self, action: str, arguments: dict[str, Any], context: CallContext) -> Preview:
        """Show all of it, the recipients first; PermanentFailure when it could not be sent."""
        del action, context
        letter = _letter(arguments)
        people = letter.recipients
        changes = [Change(label="To", after=_names(letter.to))]
        if letter.cc:
            changes.append(Change(label="Copy to", after=_names(letter.cc)))
        changes += [
            Change(label="Recipients", after=str(len(people))),
            Change(label="From", after=self._settings.from_address),
            Change(label="Subject", after=reveal(letter.subject)),
            Change(label="Text", after=reveal(letter.text)),
        ]
        return Preview(
            summary=_summary(letter),
            changes=tuple(changes),
            reversible=False,
            warnings=(*warnings(people, self._settings.domains), *_hidden(letter)),
        )

    async def execute(self, action: str, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        """Send it; raises OutcomeUnknown when the server had it all and did not answer, else as a refusal."""
        del action
        letter = _letter(arguments)
        message = compose(letter, self._settings, context.idempotency_key, now())
        left = (context.deadline - now()).total_seconds() - _MARGIN_SECONDS
        seconds = max(1.0, min(left, self._settings.timeout_seconds))
        await self._server.send(message, [one.address for one in letter.recipients], seconds)
        return {
            "sent": True,
            "message_id": message_id(self._settings, context.idempotency_key),
            "to": [one.address for one in letter.to],
            "cc": [one.address for one in letter.cc],
            "subject": letter.subject,
        }


def _letter(arguments: dict[str, Any]) -> Letter:
    return letter_of(arguments["to"], arguments.get("cc", []), arguments["subject"], arguments["text"])


def _names(people: tuple[Mailbox, ...]) -> str:
    return "\n".join(one.shown if one.shown == one.address else f"{one.shown} ({one.address})" for one in people)


def _summary(letter: Letter) -> str:
    others = len(letter.recipients) - 1
    whom = letter.to[0].shown + (f" and {others} more" if others else "")
    subject = " ".join(reveal(letter.subject).split())
    cut = subject if len(subject) <= _SUBJECT_SHOWN else f"{subject[:_SUBJECT_SHOWN]}…"
    return f'Send an e-mail to {whom}: "{cut}"'


def _hidden(letter: Letter) -> list[str]:
    found = [name for name, text in (("subject", letter.subject), ("text", letter.text)) if has_hidden(text)]
    return [f"The {name} has characters that cannot be seen; they are shown as [U+…]." for name in found]
