"""Linking an account from its chat: a code made on the web is said here and confirmed; or a code is asked for here."""

import re

from api.channels.desk import Desk, Heard
from core.clock import now
from core.errors import AssentError, NotFound, TooMany
from core.outgoing import Button, OutMessage, Plain
from core.store import approvals, deliveries, identities, links, pairings
from core.store.work import Work, change

_PRIVATELY = "Write to me in a private chat to link your account."
_NO_CODE = "This code does not hold: it is wrong, used, or over. Make a new one on the web."
DATA = re.compile(r"l1:(?P<link_id>lnk_[0-9a-z]{26}):(?P<answer>[yn])")


class Linking:
    """Takes codes, asks whether to link, offers codes to those who have none."""

    def __init__(self, desk: Desk) -> None:
        """Take what answering works with."""
        self._desk = desk

    async def redeem(self, heard: Heard, code: str) -> None:
        """Take a code that somebody said, and ask whether they want what it does: it may have been slipped to them."""
        if not heard.event.private:
            await self._desk.say(heard, _PRIVATELY)
            return
        try:
            await self._redeem(heard, code)
        except TooMany as error:
            await self._desk.say(heard, error.detail)

    async def _redeem(self, heard: Heard, code: str) -> None:
        async with change(self._desk.database, self._desk.rooms) as work:
            view = await links.redeem(work, code, heard.as_account)
            if view is None:
                await self._desk.put(work, heard, _NO_CODE)
                return
            buttons = (
                Button(label="Yes, link", data=f"l1:{view.id}:y", tone="approve"),
                Button(label="No", data=f"l1:{view.id}:n", tone="reject"),
            )
            text = f"Link this chat to {view.to}? Say yes only if that is you: whoever it is will decide by this chat."
            await self._desk.put(work, heard, OutMessage(parts=(Plain(text=text),), buttons=(buttons,)), ref=view.id)

    async def answered(self, heard: Heard, link_id: str, *, yes: bool) -> str:
        """Link, or do not; gives what to say. Raises NotFound, Conflict."""
        async with change(self._desk.database, self._desk.rooms) as work:
            if yes:
                await links.confirm(work, self._desk.audit, link_id, heard.as_account)
                text = "Linked. Write to me to talk to your assistant; requests for your consent come here. /help"
                text += await _waiting(work, heard)
            else:
                await links.decline(work, self._desk.audit, link_id, heard.as_account)
                text = "Not linked."
            for row in await deliveries.of_turn(work.session, deliveries.NOTICE, link_id):
                row.body = {"text": text}
                await deliveries.want_edit(work, row)
        return text

    async def offer(self, heard: Heard) -> None:
        """Offer a code to who is not linked; in groups nothing is said, and not more often than every ten minutes."""
        if not heard.event.private:
            return
        slot = f"{now():%Y%m%d%H%M}"[:-1]
        ref = f"stranger:{heard.event.sender.external_id}:{slot}"
        try:
            async with change(self._desk.database, self._desk.rooms) as work:
                code = await pairings.begin_pairing(work, heard.as_account)
                await self._desk.put(work, heard, self._invitation(code), ref=ref)
        except TooMany as error:
            await self._desk.say(heard, error.detail, ref=ref)
        except AssentError:
            return

    def _invitation(self, code: str) -> str:
        where = f" at {self._desk.base_url}" if self._desk.base_url else ""
        return (
            "I do not know this account yet. If you have an account with Assent, sign in"
            f"{where} and type this code where accounts are linked, within an hour: {code}"
        )

    async def unlink(self, heard: Heard) -> None:
        """End the link of this very account, and say so."""
        async with change(self._desk.database, self._desk.rooms) as work:
            await identities.unlink(work, self._desk.audit, heard.person, heard.person.session_id)
            await self._desk.put(work, heard, "Unlinked: nothing of yours comes here any more.")


async def _waiting(work: Work, heard: Heard) -> str:
    """Say what waits for whoever linked just now: it was asked before this chat was theirs."""
    account = heard.as_account
    who = await identities.principal_of(work.session, account.channel, account.account, account.external_id)
    if who is None:
        return ""
    _, _, count = await approvals.page(work.session, who, state="pending", mine=True, limit=1, cursor=None)
    return f" {count} requests wait for you already: /approvals" if count else ""


def unknown() -> NotFound:
    """Make the error for a button that means nothing here."""
    return NotFound("This button does not hold any more: look at the newest message, or at your inbox.")
