"""A talk with the mail server: a no is a refusal, silence once it has the message is a doubt."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from email.message import EmailMessage

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from connectors.base import (
    ConnectorError,
    NeedsAuthorization,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    Unreachable,
)
from core.smtp import SmtpSettings

_OURS = "assent.localdomain"
_GOODBYE_SECONDS = 2.0
_BUSY, _REFUSED, _END = 400, 500, 600
_RETRY_SECONDS = 300.0


class MailServer:
    """The server of the settings; a connection lasts for one message."""

    def __init__(self, settings: SmtpSettings, tls: ssl.SSLContext | None = None) -> None:
        """Take where it is; `tls` only where it has a certificate of its own."""
        self._settings = settings
        self._tls = tls

    async def send(self, message: EmailMessage, recipients: Sequence[str], seconds: float) -> str:
        """Hand over a message, to all recipients or to none; gives what the server said.

        Raises PermanentFailure, TemporaryFailure or NeedsAuthorization when it has not taken it, and OutcomeUnknown
        when the connection was lost, or `seconds` were over, while it had all it needs to deliver.
        """
        data = message.as_bytes()
        async with self._connected(seconds) as client:
            with _refusals():
                size = [f"SIZE={len(data)}"] if client.supports_extension("size") else []
                await client.mail(self._settings.from_address, options=size)
                for one in recipients:
                    await client.rcpt(one)
            return await _hand_over(client, data)

    async def probe(self, seconds: float) -> str:
        """Connect, sign in and say NOOP; gives what the server said. Raises as `send` does before it sends."""
        async with self._connected(seconds) as client:
            with _refusals():
                return (await client.noop()).message

    @asynccontextmanager
    async def _connected(self, seconds: float) -> AsyncIterator[aiosmtplib.SMTP]:
        """Connect, all within `seconds`; say goodbye after that: it changes nothing of what came of it."""
        client = self._client()
        try:
            async with asyncio.timeout(seconds):
                with _refusals():
                    await self._begin(client)
                yield client
        except TimeoutError as error:
            raise Unreachable("The mail server took too long; nothing was sent.") from error
        finally:
            with contextlib.suppress(SMTPException, OSError):
                await client.quit(timeout=_GOODBYE_SECONDS)
            client.close()

    async def _begin(self, client: aiosmtplib.SMTP) -> None:
        settings = self._settings
        await client.connect()
        await client.ehlo()
        if settings.tls == "starttls":
            if not client.supports_extension("starttls"):
                raise PermanentFailure("The mail server offers no TLS, which the settings ask for; nothing was sent.")
            await client.starttls()
            await client.ehlo()
        if settings.username is not None and settings.password is not None:
            if not client.supported_auth_methods:
                raise PermanentFailure("The mail server takes no sign-in, which the settings ask for.")
            await client.login(settings.username, settings.password.get_secret_value())

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.service_port,
            use_tls=settings.tls == "implicit",
            start_tls=False,
            tls_context=self._tls,
            local_hostname=_OURS,
            timeout=settings.timeout_seconds,
        )


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what goes wrong while nothing was sent into what a person can read."""
    try:
        yield
    except SMTPException as error:
        raise _refusal(error) from error
    except OSError as error:
        raise Unreachable("The mail server cannot be reached; nothing was sent.") from error


async def _hand_over(client: aiosmtplib.SMTP, data: bytes) -> str:
    try:
        return (await client.data(data)).message
    except SMTPDataError as error:
        if _BUSY <= error.code < _END:  # a plain no, also after the last line: it was not taken
            raise _refusal(error) from error
        raise _doubt() from error
    except (SMTPException, OSError, asyncio.CancelledError) as error:  # cancelled: by the clock of `_connected`
        client.close()
        raise _doubt() from error


def _doubt() -> OutcomeUnknown:
    return OutcomeUnknown(
        "The mail server had the message, and did not say whether it took it: nobody knows whether it was sent."
    )


def _refusal(error: SMTPException) -> ConnectorError:
    """Say why the message was not taken; nothing was sent."""
    if isinstance(error, SMTPAuthenticationError):
        return NeedsAuthorization("The mail server refused our user name and password; nothing was sent.")
    if isinstance(error, SMTPResponseException) and not isinstance(error, SMTPConnectResponseError):
        return _said_no(error)
    if isinstance(error, TimeoutError):
        return Unreachable("The mail server took too long; nothing was sent.")
    return Unreachable("The mail server cannot be reached, or hung up; nothing was sent.")


def _said_no(error: SMTPResponseException) -> ConnectorError:
    what = "the message"
    if isinstance(error, SMTPRecipientRefused):
        what = error.recipient
    elif isinstance(error, SMTPSenderRefused):
        what = "our address"
    sentence = f"The mail server refused {what} ({error.code}); nothing was sent."
    if _BUSY <= error.code < _REFUSED:
        return TemporaryFailure(f"{sentence} It may take it later.", retry_after=_RETRY_SECONDS)
    return PermanentFailure(sentence)
