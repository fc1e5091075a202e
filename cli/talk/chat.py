"""`assent chat`: talk in a terminal, see the answer as it is written, decide what it wants to do."""

import asyncio

from cli.talk import conversations
from cli.talk.ending import FAILED, INTERRUPTED
from cli.talk.keyboard import Closed, Interrupted, Typed, read_lines, watch_interrupts
from cli.talk.line import Failed, Heard, Joined, Line, Lost
from cli.talk.screen import Screen
from cli.talk.sending import Answered, Kept, Refused, Sender, Sent
from cli.talk.server import Server
from cli.talk.teller import Teller
from core import events
from core.values import DecisionVerdict, TurnState
from core.views import ApprovalView, ConversationView, MessageView, TurnView

_CODES = {TurnState.FINISHED: 0, TurnState.FAILED: FAILED, TurnState.STOPPED: INTERRUPTED}
_QUESTION = "Approve with `a`, reject with `r REASON`, or go on talking."
_VERDICTS = {
    "a": DecisionVerdict.APPROVE,
    "approve": DecisionVerdict.APPROVE,
    "r": DecisionVerdict.REJECT,
    "reject": DecisionVerdict.REJECT,
}
_Item = Heard | Answered | Typed | Closed | Interrupted


async def chat(
    server: Server, screen: Screen, text: str | None, conversation_id: str | None, *, new: bool, wait: bool
) -> int:
    """Answer one text, or talk until the person leaves; returns the exit code."""
    conversation = await conversations.open_conversation(server, conversation_id, new=new)
    return await Chat(server, screen, conversation, is_single=text is not None, wait=wait).run(text)


class Chat:
    """One conversation at one terminal: everything that happens is an item of one queue."""

    def __init__(
        self, server: Server, screen: Screen, conversation: ConversationView, *, is_single: bool, wait: bool
    ) -> None:
        """Talk in this conversation; `wait` when nobody can be asked but the end is to be seen."""
        self._screen = screen
        self._conversation = conversation
        self._is_single = is_single
        self._is_last = is_single  # nothing more will be said
        self._waits = wait or screen.interactive
        self._items: asyncio.Queue[_Item] = asyncio.Queue()
        self._line = Line(server, conversation.id, self._items.put_nowait)
        self._sender = Sender(server, self._line, conversation.id, self._items.put_nowait)
        self._teller = Teller(screen, server.credentials.user_id)
        self._pending: dict[str, ApprovalView] = {}
        self._turns: dict[str, TurnView] = {}
        self._mine: list[str] = []
        self._last: Sent | None = None
        self._replies: dict[str, MessageView | None] = {}
        self._unanswered = 0
        self._is_stopping = False
        self._is_refused = False
        self._code: int | None = None

    async def run(self, text: str | None) -> int:
        """Handle items until something sets the exit code."""
        self._begin(text)
        async with self._line:
            while self._code is None:
                self._handle(await self._items.get())
                self._leave_when_done()
            self._sender.drop()
        if self._screen.json:
            self._show_result()
        return self._code

    def _begin(self, text: str | None) -> None:
        watch_interrupts(self._items.put_nowait)
        if text is not None:
            self._items.put_nowait(Typed(text))
        if not self._is_single or self._screen.interactive:
            read_lines(self._items.put_nowait)
        if not self._is_single and self._screen.interactive:
            self._teller.notice(f"{self._conversation.title or 'New conversation'} ({self._conversation.id})")
            self._teller.notice("Ctrl-C stops the answer; again, or Ctrl-D, leaves.")

    def _handle(self, item: _Item) -> None:
        match item:
            case Typed() | Closed() | Interrupted():
                self._did(item)
            case Sent() | Refused() | Kept():
                self._answered(item)
            case Joined() | Lost() | Failed():
                self._connected(item)
            case events.TurnDelta():
                if not self._teller.delta(item):
                    self._sender.fetch_partial()
            case events.Typing():
                return
            case _:
                self._happened(item)

    def _did(self, item: Typed | Closed | Interrupted) -> None:
        match item:
            case Typed(text=text) if text:
                self._typed(text)
            case Closed() if not self._is_single and self._screen.interactive:
                self._code = 0
            case Closed():
                self._is_last = True
            case Interrupted():
                self._interrupted()

    def _typed(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        verdict = _VERDICTS.get(word.lower()) if self._pending and self._screen.interactive else None
        if word in {"/edit", "/regenerate"}:
            self._again(word, rest.strip())
        elif verdict is None:
            self._unanswered += 1
            self._sender.say(text)
        else:
            self._sender.decide(self._pending.pop(next(iter(self._pending))), verdict, rest.strip() or None)

    def _again(self, word: str, text: str) -> None:
        """Say the last message otherwise, or have it answered once more."""
        if self._last is None:
            self._teller.notice("Nothing was said here yet.")
        elif word == "/edit" and not text:
            self._teller.notice("Write /edit and what you meant to say.")
        else:
            self._unanswered += 1
            if word == "/edit":
                self._sender.edit(self._last.message_id, text)
            else:
                self._sender.regenerate(self._last.turn_id)

    def _interrupted(self) -> None:
        open_turns = self._open_turns()
        if self._is_stopping or not open_turns:
            self._code = INTERRUPTED
            return
        self._is_stopping = True
        self._teller.notice("(stopping; Ctrl-C again leaves)")
        for turn_id in open_turns:
            self._sender.stop(turn_id)

    def _answered(self, item: Sent | Refused | Kept) -> None:
        match item:
            case Sent(turn_id=turn_id, already_done=done):
                self._unanswered -= 1
                self._is_stopping = False
                self._mine.append(turn_id)
                self._last = item
                if done:
                    self._teller.notice(f"This stays done: {', '.join(done)}.")
            case Refused(error=error, approval=None) if self._is_single:
                raise error
            case Refused(error=error, approval=approval, is_message=is_message):
                self._teller.notice(f"assent: {error.detail}")
                self._unanswered -= is_message
                self._is_refused |= is_message
                if approval is not None:
                    self._pending[approval.id] = approval
            case Kept():
                self._teller.notice("The decision is kept; it takes effect as soon as the workflow is reachable.")

    def _connected(self, item: Joined | Lost | Failed) -> None:
        match item:
            case Failed(error=error):
                raise error
            case Lost():
                self._teller.notice("(no connection; trying again)")
            case Joined(fresh=fresh, partial=partial):
                if partial is not None:
                    self._teller.catch_up(partial)
                for turn_id in self._open_turns() if fresh else ():
                    self._sender.catch_up(turn_id)

    def _happened(self, event: events.DurableEvent) -> None:
        turn = getattr(event, "turn", None)
        known = self._turns.get(turn.id) if turn else None
        if known is not None and TurnState(known.state).is_terminal:
            return
        message = getattr(event, "message", None)
        if turn and message is not None and message.text_cut:
            self._sender.fetch_reply(turn)
            return
        if turn:
            self._turns[turn.id] = turn
            self._replies[turn.id] = message
        self._teller.tell(event)
        match event:
            case events.ApprovalRequested(approval=approval):
                self._asked(approval)
            case events.ApprovalClosed(approval=approval):
                self._pending.pop(approval.id, None)

    def _asked(self, approval: ApprovalView) -> None:
        self._pending[approval.id] = approval
        if self._screen.interactive:
            self._teller.notice(_QUESTION)
        else:
            how = f"`assent approvals approve {approval.id}` or `reject` (with `--yes` in a script)"
            self._teller.notice(f"Decide with {how}, or on the page.")

    def _open_turns(self) -> list[str]:
        return [
            one for one in self._mine if one not in self._turns or not TurnState(self._turns[one].state).is_terminal
        ]

    def _leave_when_done(self) -> None:
        """End when nothing more is said and every turn has ended, or waits for somebody who is not asked here."""
        if self._code is not None or not self._is_last or self._unanswered:
            return
        open_turns = self._open_turns()
        if not open_turns:
            ended = TurnState(self._turns[self._mine[-1]].state) if self._mine else TurnState.FINISHED
            self._code = _CODES[ended] or (FAILED if self._is_refused else 0)
        elif not self._waits and all(self._is_parked(one) for one in open_turns):
            self._teller.notice("The answer goes on as soon as somebody has decided.")
            self._code = 0

    def _is_parked(self, turn_id: str) -> bool:
        turn = self._turns.get(turn_id)
        asked = any(approval.turn_id == turn_id for approval in self._pending.values())
        return asked and turn is not None and turn.state == TurnState.WAITING

    def _show_result(self) -> None:
        last = self._mine[-1] if self._mine else ""
        turn, reply = self._turns.get(last), self._replies.get(last)
        self._screen.data(
            {
                "conversation_id": self._conversation.id,
                "turn": turn.model_dump(mode="json") if turn else None,
                "message": reply.model_dump(mode="json") if reply else None,
                "approvals": [one.model_dump(mode="json") for one in self._pending.values()],
            }
        )
