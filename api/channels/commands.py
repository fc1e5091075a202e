"""Commands in a chat: a word with a slash, and what it does."""

from sqlalchemy.ext.asyncio import AsyncSession

from api.channels.codes import Codes
from api.channels.deciding import Deciding
from api.channels.desk import Desk, Heard
from api.channels.linking import Linking
from connectors.channel import CommandGiven
from core.errors import Invalid
from core.outgoing import Link, OutMessage, Plain
from core.store import approvals, bindings, conversations, modes, prompting, turns, workspaces
from core.store.work import change
from core.text import reveal
from core.values import OperationMode, TurnState
from core.views import ApprovalView

HELP = """/new - begin another conversation
/stop - stop the answer that is under way
/status - what goes on
/approvals - what waits for your decision, and the codes that hold here
/approve CODE [comment], /reject CODE [reason] - decide the request that shows this code
/mode [name] - how the assistant answers here
/operation [mode] - how much the workspace leaves to its assistant
/mirror - hear here what is said elsewhere in this conversation, or no more
/link [code], /unlink - whose chat this is
/help - this list
Anything else you write goes to your assistant. Consent is given by buttons and by these codes, never by other words."""
_MOST = 5


class Commands:
    """Takes commands. All but those that link are for linked accounts."""

    def __init__(self, desk: Desk, linking: Linking, deciding: Deciding) -> None:
        """Take what answering works with, who links, and who decides."""
        self._desk = desk
        self._linking = linking
        self._codes = Codes(desk, deciding)
        self._known = {
            "new": self._new,
            "stop": self._stop,
            "status": self._status,
            "approvals": self._approvals,
            "approve": self._codes.approve,
            "reject": self._codes.reject,
            "mode": self._mode,
            "operation": self._operation,
            "mirror": self._mirror,
            "help": self._help,
        }

    async def take(self, heard: Heard, event: CommandGiven) -> None:
        """Do what a command says."""
        if event.name in {"start", "link"} and (event.rest or heard.who is None):
            await self._link(heard, event.rest)
        elif heard.who is None:
            await self._linking.offer(heard)
        elif event.name == "unlink":
            await self._linking.unlink(heard)
        elif event.name in {"start", "link"}:
            await self._desk.say(heard, f"This chat is {reveal(heard.person.name)}'s. Write to me, or see /help.")
        elif event.name in self._known:
            await self._desk.say(heard, await self._known[event.name](heard, event.rest))
        else:
            await self._desk.say(heard, f"I do not know /{reveal(event.name)[:40]}: see /help.")

    async def _link(self, heard: Heard, code: str) -> None:
        if code:
            await self._linking.redeem(heard, code)
        else:
            await self._linking.offer(heard)

    async def _new(self, heard: Heard, rest: str) -> str:  # noqa: ARG002  # takes nothing
        await self._desk.begin(heard)
        return "A new conversation. What you write from now on goes there."

    async def _stop(self, heard: Heard, rest: str) -> str:  # noqa: ARG002  # takes nothing
        conversation_id = await self._desk.current(heard)
        if conversation_id is None:
            return "Nothing is under way."
        stopped = await self._desk.intake.stop_conversation(heard.person, conversation_id, queued=True)
        return "Stopped." if stopped else "Nothing is under way."

    async def _status(self, heard: Heard, rest: str) -> str:  # noqa: ARG002  # takes nothing
        conversation_id = await self._desk.current(heard)
        async with self._desk.database.reading() as session:
            waiting = await _waiting(session, heard)
            lines = [f"{len(waiting)} requests wait for your decision." if waiting else "Nothing waits for you."]
            lines.append(f"Workspace mode: {(await workspaces.view(session, heard.person)).operation_mode}.")
            if conversation_id is not None:
                view = await conversations.one(session, heard.person, conversation_id)
                open_turns = [
                    turn
                    for turn in await turns.of_conversation(session, heard.person, conversation_id)
                    if not TurnState(turn.state).is_terminal
                ]
                lines.append(f"Conversation: {reveal(view.title) or 'without a title'}, mode {view.mode}.")
                lines += [f"An answer is {turn.state}." for turn in open_turns] or ["No answer is under way."]
        return "\n".join(lines)

    async def _approvals(self, heard: Heard, rest: str) -> str | OutMessage:  # noqa: ARG002  # takes nothing
        """Prompt anew for what waits, at the end of the chat where buttons are found; list the codes that hold."""
        if not heard.event.private:
            return "Ask me in a private chat: others read here."
        codes = await self._codes.listed(heard)
        async with change(self._desk.database, self._desk.rooms) as work:
            waiting = await _waiting(work.session, heard)
            for view in waiting[:_MOST]:
                await prompting.ask_again(work, view.id, heard.person.session_id, heard.event.event_id)
        if not waiting:
            return "Nothing waits for your decision."
        more = f" Here are {_MOST} of them." if len(waiting) > _MOST else ""
        lines = [f"{len(waiting)} wait for your decision.{more}"]
        lines += ["By /approve CODE or /reject CODE:", *codes] if codes else []
        url = self._desk.base_url
        links = (Link(text="Open the inbox", url=f"{url}/#/approvals"),) if url else ()
        return OutMessage(parts=(*(Plain(text=line) for line in lines), *links))

    async def _mode(self, heard: Heard, rest: str) -> str:
        conversation_id = await self._desk.conversation(heard)
        if rest:
            async with change(self._desk.database, self._desk.rooms) as work:
                view = await conversations.alter(work, heard.person, conversation_id, mode=rest.lower())
            return f"This conversation is answered in the mode {view.mode} from now on."
        async with self._desk.database.reading() as session:
            view = await conversations.one(session, heard.person, conversation_id)
            known = await modes.listed(session, heard.person)
        return f"Mode {view.mode}. There are: {', '.join(one.name for one in known)}."

    async def _operation(self, heard: Heard, rest: str) -> str:
        who = heard.person
        if rest:
            mode = _operation_mode(rest)
            async with change(self._desk.database, self._desk.rooms) as work:
                view = await workspaces.change_mode(work, self._desk.audit, who, mode)
            return f"The workspace is run in the mode {view.operation_mode} now."
        async with self._desk.database.reading() as session:
            view = await workspaces.view(session, who)
        return f"The workspace is run in the mode {view.operation_mode}. There are: {', '.join(OperationMode)}."

    async def _mirror(self, heard: Heard, rest: str) -> str:  # noqa: ARG002  # takes nothing
        """Tie this chat to its conversation as a mirror, or no more; `/new` ends it in a private chat."""
        conversation_id = await self._desk.conversation(heard)
        where = (heard.channel, heard.account, heard.event.thread)
        async with change(self._desk.database, self._desk.rooms) as work:
            mirrors = await bindings.turn_mirror(work, *where, conversation_id, keep=not heard.event.private)
        return "What is said elsewhere in this conversation is told here too." if mirrors else "No more of that here."

    async def _help(self, heard: Heard, rest: str) -> str:  # noqa: ARG002  # takes nothing
        return HELP


async def _waiting(session: AsyncSession, heard: Heard) -> list[ApprovalView]:
    """Give what waits for the person, newest first, at most a hundred."""
    found, _, _ = await approvals.page(session, heard.person, state="pending", mine=True, limit=100, cursor=None)
    return found


def _operation_mode(text: str) -> OperationMode:
    try:
        return OperationMode(text.strip().lower())
    except ValueError:
        message = f"There is no such mode. There are: {', '.join(OperationMode)}."
        raise Invalid(message) from None
