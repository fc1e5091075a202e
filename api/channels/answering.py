"""What becomes of one event of a channel: a message, a decision, a command, a link, or a polite no."""

from collections.abc import Awaitable, Mapping

from api.channels.commands import Commands
from api.channels.deciding import Deciding
from api.channels.desk import Desk, Heard
from api.channels.linking import Linking
from api.channels.pressing import Pressing
from connectors.channel import (
    Blocked,
    ButtonPressed,
    Channel,
    CommandGiven,
    InboundEvent,
    NotUnderstood,
    TextSaid,
    Unblocked,
)
from core.errors import AssentError, TooMany, Unavailable
from core.store import identities, inbound
from core.store.work import change


class Answering:
    """Answers. Whoever is not linked gets an offer to link, and nothing else."""

    def __init__(self, desk: Desk, channels: Mapping[tuple[str, str], Channel]) -> None:
        """Take what answering needs."""
        self._desk = desk
        self._channels = channels
        self._linking = Linking(desk)
        deciding = Deciding(desk)
        self._commands = Commands(desk, self._linking, deciding)
        self._pressing = Pressing(desk, self._linking, deciding)

    async def take(self, name: str, account: str, event: InboundEvent, *, again: bool) -> None:
        """Answer one event; `again`: an earlier attempt may have got some way. Raises TooMany, Unavailable: later."""
        heard = await self._desk.hear(name, account, event)
        await self._note_reach(heard)
        if isinstance(event, Blocked | Unblocked):
            return
        if isinstance(event, ButtonPressed):
            await self._pressing.take(heard, event, self._channels[name, account])
        elif isinstance(event, CommandGiven):
            await self._politely(heard, self._commands.take(heard, event))
        elif heard.who is None:
            await self._linking.offer(heard)
        elif isinstance(event, TextSaid):
            await self._politely(heard, self._say(heard, event, again=again))
        elif isinstance(event, NotUnderstood):
            await self._desk.say(heard, f"I cannot read {event.what} here. Please write it.")

    async def _note_reach(self, heard: Heard) -> None:
        """Whoever writes in private is reached there, under the name of now; who blocked us is not."""
        if heard.who is None or not heard.event.private:
            return
        identity_id = heard.who.session_id
        async with change(self._desk.database, self._desk.rooms) as work:
            if isinstance(heard.event, Blocked):
                await identities.mark_broken(work, identity_id)
            else:
                event = heard.event
                await identities.mark_whole(work, identity_id, event.thread, event.sender.shown_as or None)

    async def _politely(self, heard: Heard, answer: Awaitable[None]) -> None:
        """Say in the chat why something cannot be; what may work later is tried again."""
        try:
            await answer
        except (TooMany, Unavailable):
            raise
        except AssentError as error:
            await self._desk.say(heard, error.detail)

    async def _say(self, heard: Heard, event: TextSaid, *, again: bool) -> None:
        """Make what was written a message of the person's current conversation there."""
        if event.edits:
            await self._desk.say(heard, "I do not read changes of what you wrote: please write it again.")
            return
        who = heard.person
        if again:
            async with self._desk.database.reading() as session:
                if await inbound.was_said(session, who.user_id, heard.client_message_id):
                    return
        await self._desk.limits.check("message", who.user_id)
        conversation_id = await self._desk.conversation(heard)
        await self._desk.intake.submit_message(who, heard.channel, conversation_id, event.text, heard.client_message_id)
