"""What is said on a channel, as values that no channel's dialect has touched yet; `render` of a channel makes its own.

Nothing in here is marked up, `Prose` apart, which is the assistant's Markdown: each channel escapes the rest.
"""

from typing import Annotated, Literal

from pydantic import Field

from core.values import Value


class Headline(Value):
    """One line that stands out."""

    type: Literal["headline"] = "headline"
    text: str


class Plain(Value):
    """Our own words, as they are."""

    type: Literal["plain"] = "plain"
    text: str


class Prose(Value):
    """The assistant's or a person's Markdown. Links are shown with their address, images never."""

    type: Literal["prose"] = "prose"
    text: str


class Quoted(Value):
    """Somebody else's words, set apart from ours under a label that says whose."""

    type: Literal["quoted"] = "quoted"
    label: str
    text: str


class Fact(Value):
    """One named value, shown as code: an argument, a change."""

    type: Literal["fact"] = "fact"
    label: str
    text: str


class Link(Value):
    """An address of ours that only locates something; channels that cannot label a link show it in full."""

    type: Literal["link"] = "link"
    text: str
    url: str


Part = Annotated[Headline | Plain | Prose | Quoted | Fact | Link, Field(discriminator="type")]


class Button(Value):
    """Something to press. `data` comes back in `ButtonPressed`; with a `url` it leads there instead."""

    label: str
    data: str | None = None
    url: str | None = None
    tone: Literal["neutral", "approve", "reject"] = "neutral"


class OutMessage(Value):
    """One message: parts one below the other, rows of buttons under the last of them.

    `silent`: without a sound where the channel can; `reply_to`: the channel's id of what it answers.
    """

    parts: tuple[Part, ...] = Field(min_length=1)
    buttons: tuple[tuple[Button, ...], ...] = ()
    silent: bool = False
    reply_to: str | None = None


def plain(text: str, *rows: tuple[Button, ...]) -> OutMessage:
    """Give a message of our own words, perhaps with buttons."""
    return OutMessage(parts=(Plain(text=text),), buttons=rows)
