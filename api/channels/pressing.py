"""Buttons: a token only names a prompt; who pressed is the person whose account pressed, or nobody."""

import re

from api.channels.deciding import Deciding, chosen
from api.channels.desk import Desk, Heard
from api.channels.linking import DATA as LINKS
from api.channels.linking import Linking, unknown
from connectors.channel import ButtonPressed, Channel, MessageRef
from core.errors import AssentError, NotAllowed, TooMany, Unavailable
from core.store import deliveries, outcomes, prompting
from core.store.outcomes import Outcome
from core.store.work import change
from core.tables.connect import Delivery
from core.text import reveal
from core.values import DecisionVerdict

_DATA = re.compile(r"a1:(?P<token>[A-Za-z0-9_-]{22}):(?P<answer>[yn])(?P<number>[1-9][0-9]?)?")
_UNKNOWN = re.compile(r"u1:(?P<call>cal_[0-9a-z]{26}):(?P<outcome>done|not_done)")


class Pressing:
    """Takes presses, and tells whoever pressed what came of it, in words."""

    def __init__(self, desk: Desk, linking: Linking, deciding: Deciding) -> None:
        """Take what answering works with, who links, and who decides."""
        self._desk = desk
        self._linking = linking
        self._deciding = deciding

    async def take(self, heard: Heard, event: ButtonPressed, channel: Channel) -> None:
        """Do what the button says, if it may be done. Raises Unavailable, TooMany: try again later."""
        try:
            said = await self._press(heard, event)
        except (TooMany, Unavailable):
            raise
        except AssentError as error:
            said = error.detail
        try:
            await channel.answer(event, said)
        except AssentError:
            return  # what came of it stands in the prompt, which is edited

    async def _press(self, heard: Heard, event: ButtonPressed) -> str:
        link, prompt = LINKS.fullmatch(event.data), _DATA.fullmatch(event.data)
        if link is not None:
            return await self._linking.answered(heard, link["link_id"], yes=link["answer"] == "y")
        if heard.who is None:
            return "I do not know this account: link it first, by /link in a private chat with me."
        settled = _UNKNOWN.fullmatch(event.data)
        if settled is not None:
            return await self._settle(heard, settled["call"], Outcome(settled["outcome"]))
        if prompt is None:
            raise unknown()
        row = await self._prompt(heard, prompt["token"])
        if row.external_ref is None and event.message_id is not None and event.thread == row.thread:
            await self._note_arrival(row, event.message_id)
        verdict = DecisionVerdict.APPROVE if prompt["answer"] == "y" else DecisionVerdict.REJECT
        requests = chosen(row, prompt["number"])
        if not requests:
            raise unknown()
        return await self._deciding.decide(heard, requests, verdict)

    async def _settle(self, heard: Heard, call_id: str, outcome: Outcome) -> str:
        """Take somebody's word on a call of unknown fate; whether it is theirs to say is looked up. Raises as `say`."""
        async with change(self._desk.database, self._desk.rooms) as work:
            view = await outcomes.say(work, self._desk.audit, heard.person, call_id, outcome, None)
        return f"Noted: {reveal(view.action)}, {view.state}."

    async def _prompt(self, heard: Heard, token: str) -> Delivery:
        """Find the prompt that a token names. Raises NotFound, and NotAllowed, audited, for somebody else's."""
        async with self._desk.database.reading() as session:
            row = await deliveries.by_token(session, token)
        here = (heard.channel, heard.account)
        if row is None or row.approval_id is None or (row.channel, row.account) != here:
            raise unknown()
        if row.user_id != heard.person.user_id:
            async with change(self._desk.database, self._desk.rooms) as work:
                facts = {"door": heard.channel, "account": heard.as_account.external_id, "of": row.user_id}
                await self._desk.audit.record(
                    work, row.workspace_id, heard.person.user_id, "prompt.refused", row.approval_id, **facts
                )
            message = "This was asked of somebody else: only they can answer it here."
            raise NotAllowed(message)
        return row

    async def _note_arrival(self, row: Delivery, message_id: str) -> None:
        """Store that a prompt of which nobody knows whether it was sent is there: a crash left it so."""
        ref = MessageRef(account=row.account, thread=row.thread, message_ids=(message_id,)).written()
        async with change(self._desk.database, self._desk.rooms) as work:
            there = await deliveries.arrived(work, row.id, ref)
            if there is not None:
                await prompting.record_sent(work, self._desk.audit, there)
