"""Tells a growing text piece by piece to somebody who cannot unhear, and what people are asked, in our own words."""

from core.text import reveal
from core.views import ApprovalView

BEGAN_AGAIN = "\n\n[The answer began again; this replaces what is above.]\n\n"
_LONGEST = 500


class Telling:
    """What a client was told so far."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self._told = ""
        self._broken = False
        self.whole = ""

    def go_on(self, text: str, *, is_final: bool = False) -> str:
        """Give what to say next, so that the client knows `text`; a text that turned out otherwise is said anew."""
        if text.startswith(self._told):
            piece = text[len(self._told) :]
            if piece and self._broken:
                piece = "\n\n" + piece.lstrip("\n")
        elif self._told.startswith(text) and not is_final:
            return ""  # it is being said again: wait until it goes beyond what is known, or turns out otherwise
        else:
            piece = BEGAN_AGAIN + text
        if piece:
            self._told, self._broken = text, False
        return self._add(piece)

    def put_in(self, notice: str) -> str:
        """Give a notice to say between the parts of the text."""
        self._broken = True
        return self._add(f"\n\n{notice}" if self.whole else notice)

    def _add(self, piece: str) -> str:
        self.whole += piece
        return piece


def link_to(approval: ApprovalView, base: str) -> str:
    """Give the address where a person sees the approval; it decides nothing by being opened."""
    return f"{base}/?approval={approval.id}#conversation={approval.conversation_id}"


def notice_of(approval: ApprovalView, base: str) -> str:
    """Say what people are asked, where, and until when: by code from the request, not by the model."""
    until = approval.expires_at.strftime("%d %B %Y, %H:%M UTC")
    return (
        f"**Consent is needed** for {approval.action}: {_shown(approval.title)}\n"
        f"{_shown(approval.preview.summary)}\n"
        f"Decide here until {until}: {link_to(approval, base)}\n"
        "Nothing happens before; afterwards this answer goes on."
    )


def _shown(text: str) -> str:
    """Give what arguments may have shaped as code in one line: in it no link leads away and no image is loaded."""
    line = " ".join(reveal(text).replace("`", "'").split())
    return f"`{line if len(line) <= _LONGEST else line[:_LONGEST] + '…'}`"
