"""What all answers to channels share: who is there, where they talk, and how something is said to them."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from api.intake import Intake
from api.limits import Limits
from connectors.channel import InboundEvent, OutMessage
from core.errors import NotFound
from core.modes import DEFAULT
from core.outgoing import plain
from core.permissions import Principal
from core.rooms import Rooms
from core.store import bindings, conversations, deliveries, identities
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.deliveries import Wanted
from core.store.identities import Account
from core.store.work import Work, change
from core.values import Value


class Heard(Value):
    """An event, where it came from, and the person behind it; None when the account is linked to nobody."""

    channel: str
    account: str
    event: InboundEvent
    who: Principal | None

    @property
    def person(self) -> Principal:
        """Give the person; for what only linked accounts get to."""
        if self.who is None:
            message = "Link your account first: /link."
            raise NotFound(message)
        return self.who

    @property
    def client_message_id(self) -> str:
        """Name the message that the event becomes: `core.store.speaking` finds the thread by it."""
        return f"{self.account}:{self.event.event_id}"

    @property
    def as_account(self) -> Account:
        """Give the sender's account, with the thread only when nobody else reads there."""
        return Account(
            channel=self.channel,
            account=self.account,
            external_id=self.event.sender.external_id,
            shown_as=self.event.sender.shown_as,
            thread=self.event.thread if self.event.private else None,
        )


@dataclass(frozen=True)
class Desk:
    """What answering works with; made once by `api.app`."""

    database: Database
    rooms: Rooms
    audit: AuditTrail
    intake: Intake
    limits: Limits
    base_url: str | None

    async def hear(self, channel: str, account: str, event: InboundEvent) -> Heard:
        """Find out who is behind an event. Nobody stands in for an account that is not linked."""
        async with self.database.reading() as session:
            who = await identities.principal_of(session, channel, account, event.sender.external_id)
        return Heard(channel=channel, account=account, event=event, who=who)

    async def say(self, heard: Heard, message: OutMessage | str, *, ref: str | None = None) -> None:
        """Say something where the event came from; the same `ref` (else the event itself) is answered once."""
        async with change(self.database, self.rooms) as work:
            await self.put(work, heard, message, ref=ref)

    async def put(self, work: Work, heard: Heard, message: OutMessage | str, *, ref: str | None = None) -> None:
        """Do so within a change."""
        said = plain(message) if isinstance(message, str) else message
        wanted = Wanted(
            workspace_id=heard.who.workspace_id if heard.who else "",
            kind=deliveries.NOTICE,
            ref=ref or f"in:{heard.event.event_id}",
            channel=heard.channel,
            account=heard.account,
            thread=heard.event.thread,
            body={"message": said.model_dump(mode="json")},
        )
        await deliveries.put(work, wanted)

    async def conversation(self, heard: Heard) -> str:
        """Give the conversation of the chat, a new one when there is none. Raises NotFound for who is not in it."""
        who = heard.person
        async with self.database.reading() as session:
            found = await self._current(session, heard)
        if found is None:
            return await self.begin(heard)
        async with self.database.reading() as session:
            await conversations.one(session, who, found)
        return found

    async def _current(self, session: AsyncSession, heard: Heard) -> str | None:
        if heard.event.private:
            return await identities.current_conversation(session, heard.person.session_id)
        return await bindings.of_thread(session, heard.channel, heard.account, heard.event.thread)

    async def current(self, heard: Heard) -> str | None:
        """Give the conversation of the chat, if there is one."""
        async with self.database.reading() as session:
            return await self._current(session, heard)

    async def begin(self, heard: Heard) -> str:
        """Begin a conversation, from now on the one of the chat. Raises NotAllowed, TooMany."""
        who = heard.person
        await self.limits.check("conversation", who.user_id)
        async with change(self.database, self.rooms) as work:
            view = await conversations.create(work, who, heard.channel, title="", mode=DEFAULT)
            if heard.event.private:
                await identities.set_conversation(work, who.session_id, view.id)
            else:
                await bindings.bind(work, heard.channel, heard.account, heard.event.thread, view.id)
        return view.id
