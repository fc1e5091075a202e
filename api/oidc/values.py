"""What travels between a browser, a provider and us on the way of a sign-in."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from core.text import SafeStr
from core.values import Value

Purpose = Literal["sign-in", "link", "prove"]
Given = Annotated[SafeStr, StringConstraints(max_length=4096)]


class Begin(Value):
    """What for: to sign in, to link the account to who is signed in, or to prove that it is them.

    `loopback_port`: a command line waits at 127.0.0.1 there for the ticket, in place of the page.
    """

    purpose: Purpose = Field("sign-in", examples=["link"])
    loopback_port: Annotated[int, Field(ge=1024, le=65535)] | None = None


class Begun(Value):
    """Where the browser goes now."""

    url: str


class Returned(Value):
    """What a provider sends the browser back with (RFC 6749, section 4.1.2; RFC 9207)."""

    state: Given = ""
    code: Given | None = None
    iss: Given | None = None
    error: Given | None = None


class Trip(Value):
    """What is kept of a trip until the browser comes back; `binding`: the hash of the browser's cookie."""

    provider: str
    purpose: Purpose
    origin: str
    loopback_port: int | None
    binding: str
    verifier: str
    nonce: str


class ProviderView(Value):
    """A provider as the sign-in page offers it."""

    name: str
    title: str


class Claims(Value):
    """What a provider vouches for of a person. `auth_time`: when they proved to it who they are, if it says so."""

    issuer: str
    subject: Annotated[SafeStr, StringConstraints(min_length=1, max_length=255)]
    email: Annotated[SafeStr, StringConstraints(max_length=254)] | None = None
    email_verified: bool = False
    name: SafeStr | None = None
    auth_time: datetime | None = None
