"""Takes a request in: finds the conversation that it belongs to, or begins one, and submits its message as a turn."""

import hashlib
import re
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.intake import Accepted, Intake
from api.limits import Limits
from api.openai.asked import Asked, Refused
from api.openai.ears import Ears
from api.openai.names import Names
from api.rest.context import Context
from core.errors import Conflict, NotFound
from core.ids import new_id
from core.permissions import Door, Principal
from core.store import brought, conversations, messages, prompts
from core.store.database import Database
from core.store.submissions import Wishes
from core.store.work import Work, change
from core.tables.doors import Prompt
from core.values import Value

_CLIENT_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")


class Call(Value):
    """What came beside the words: which model, which talk, under which id, how often tried."""

    asked: Asked
    model: str
    conversation_id: str | None = None
    key: str | None = None
    tries: int | None = None

    @property
    def client_message_id(self) -> str | None:
        """The client's own id for this message, in the form in which we keep it."""
        if self.key is None or _CLIENT_ID.fullmatch(self.key):
            return self.key
        return "key-" + hashlib.sha256(self.key.encode()).hexdigest()[:48]

    @property
    def talk(self) -> str:
        """The fingerprint of all that was said, this message included."""
        return prompts.fingerprint(self.asked.talk)


class Submitted(Value):
    """The request is kept: its turn, its conversation, the id under which it is the same when sent again."""

    turn_id: str
    conversation_id: str
    client_message_id: str
    duplicate: bool


class Desk:
    """What the endpoints of this door work with. One for each api process."""

    def __init__(self, context: Context) -> None:
        """Take what the other doors use, and listen to the rooms."""
        self.settings = context.settings
        self.database: Database = context.database
        self.intake: Intake = context.intake
        self.names = Names(context.settings, context.database)
        self.ears = Ears(context.rooms)
        self._rooms = context.rooms
        self._limits: Limits = context.limits

    async def submit(self, who: Principal, call: Call) -> Submitted:
        """Keep a message and begin, or queue, its turn; one that came before is its earlier turn.

        Raises Refused, NoSuchModel, NotFound, NotAllowed, Conflict, TooLarge, TooMany.
        """
        wishes = await self.names.wishes(who, call.model)
        self.intake.check(call.asked.text)
        async with self.database.reading() as session:
            known = await _known(session, who, call)
            place = await _place(session, who, call) if known is None else None
        if known is None:
            await self._limits.check("message", who.user_id)
            if place is None:
                await self._limits.check("conversation", who.user_id)
            known = await self._write(who, call, wishes)
        accepted = await self._say(who, call, known, wishes)
        return Submitted(
            turn_id=accepted.turn_id,
            conversation_id=known.conversation_id,
            client_message_id=known.client_message_id,
            duplicate=accepted.duplicate,
        )

    async def _write(self, who: Principal, call: Call, wishes: Wishes) -> Prompt:
        async with change(self.database, self._rooms) as work:
            await prompts.lock(work.session, who)
            known = await _known(work.session, who, call)
            if known is not None:
                return known
            place = await _place(work.session, who, call) or await _begin(work, who, call, wishes)
            return await prompts.add(
                work,
                who,
                place,
                client_message_id=call.client_message_id or new_id("cli"),
                talk=call.talk,
                instructions=call.asked.instructions,
                asked=call.model,
            )

    async def _say(self, who: Principal, call: Call, prompt: Prompt, wishes: Wishes) -> Accepted:
        if call.conversation_id not in {None, prompt.conversation_id}:
            message = "This client message id was used in another conversation."
            raise Conflict(message)
        return await self.intake.submit_message(
            who, Door.OPENAI, prompt.conversation_id, call.asked.text, prompt.client_message_id, wishes
        )


async def _known(session: AsyncSession, who: Principal, call: Call) -> Prompt | None:
    if call.client_message_id is not None:
        return await prompts.named(session, who, call.client_message_id)
    return await prompts.repeated(
        session,
        who,
        call.talk,
        call.conversation_id,
        call.tries,
        asked=call.model,
        instructions=call.asked.instructions,
    )


async def _place(session: AsyncSession, who: Principal, call: Call) -> str | None:
    """Give the conversation that is named, else the one that these lines continue. Raises NotFound for another's."""
    if call.conversation_id is None:
        found = await prompts.before(session, who, call.asked.earlier)
        return found or await prompts.unanswered(session, who, call.talk)
    await conversations.one(session, who, call.conversation_id)
    return call.conversation_id


async def _begin(work: Work, who: Principal, call: Call, wishes: Wishes) -> str:
    pairs = brought.exchanges(call.asked.earlier)
    title = messages.title_from(pairs[0][0] if pairs else call.asked.text)
    view = await conversations.create(work, who, Door.OPENAI, title=title, mode=wishes.mode or "full")
    await brought.keep(work, who, Door.OPENAI, view, pairs)
    return view.id


def named_conversation(*names: Any) -> str | None:
    """Give the one conversation that a request names, in whichever places. Raises Refused when they differ."""
    given = [name for name in names if name is not None]
    if not given:
        return None
    if any(name != given[0] for name in given):
        message = "The header, the metadata and the body name different conversations."
        raise Refused(message, "conversation")
    name = given[0]
    if not isinstance(name, str) or not re.fullmatch(r"cnv_[0-9a-z]{26}", name):
        message = "There is no such conversation."
        raise NotFound(message, param="conversation")
    return name
