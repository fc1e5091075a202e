"""Tells a person, or collects for a program, what happens in a conversation."""

from cli.talk.approvals import headline, outcome, render
from cli.talk.screen import Screen, one_line
from cli.talk.speech import Speech
from cli.talk.values import brief
from core import events
from core.text import reveal
from core.values import CallState
from core.views import ApprovalView, MessageView, PartialView, ToolCallView, TurnView

_MARKS = {CallState.DONE: "✓", CallState.RUNNING: "…", CallState.AWAITING: "?", CallState.UNKNOWN: "!"}
_QUIET = frozenset({CallState.PROPOSED, CallState.AWAITING})


class Teller:
    """Writes events as they come; answers go to stdout, all else is a notice on stderr."""

    def __init__(self, screen: Screen, user_id: str) -> None:
        """Tell the person of this id, whose own messages need no echo."""
        self._screen = screen
        self._user_id = user_id
        self._speeches: dict[str, Speech] = {}
        self._told: set[str] = set()

    def tell(self, event: events.DurableEvent) -> None:
        """Write one durable event."""
        if self._screen.json:
            return
        match event:
            case events.MessageCreated(message=message) if message.role == "user":
                if message.author_id != self._user_id:
                    self._notice(f"{message.role}: {message.text}")
            case events.TurnQueued():
                self._notice("(queued: another turn is being answered)")
            case events.TurnRestarted(turn=turn, offset=offset):
                self._speech(turn.id).restart(turn.attempt, offset)
                self._notice("(the model call was lost and is made again)")
            case events.TurnFinished(turn=turn, message=message):
                self._whole(turn, message)
                self._suggest(message)
            case events.MessageUpdated(message=message):
                self._suggest(message)
            case events.TurnFailed(turn=turn, message=message) | events.TurnStopped(turn=turn, message=message):
                self._ended(turn, message)
            case _:
                self._tell_of_tools(event)

    def _tell_of_tools(self, event: events.DurableEvent) -> None:
        match event:
            case (
                events.ToolStarted(call=call)
                | events.ToolFinished(call=call)
                | events.ToolFailed(call=call)
                | events.ToolUnknown(call=call)
                | events.ToolProposed(call=call)
            ):
                self._tool(call)
            case events.ApprovalRequested(approval=approval):
                self.ask(approval)
            case events.ApprovalClosed(approval=approval):
                self._notice(f"{outcome(approval)}: {headline(approval)}", "bold")
            case _:
                return

    def delta(self, delta: events.TurnDelta) -> bool:
        """Write a piece of text; False when one before it is missing."""
        return self._screen.json or self._speech(delta.turn_id).add(delta)

    def catch_up(self, partial: PartialView) -> None:
        """Write the text that was missed."""
        if not self._screen.json:
            self._speech(partial.turn_id).become(partial.text, partial.attempt)

    def ask(self, approval: ApprovalView) -> None:
        """Show a request for consent, once."""
        if self._screen.json or approval.id in self._told:
            return
        self._told.add(approval.id)
        self._end_lines()
        render(self._screen, approval, notice=True)

    def notice(self, text: str) -> None:
        """Write something of our own."""
        if not self._screen.json:
            self._notice(text)

    def _whole(self, turn: TurnView, message: MessageView) -> None:
        speech = self._speech(turn.id)
        speech.become(message.text)
        speech.end_line()

    def _suggest(self, message: MessageView) -> None:
        """Offer what may be said next, once for each answer, to somebody who sits there."""
        if message.suggestions and self._screen.interactive and message.id not in self._told:
            self._told.add(message.id)
            self._notice("You could say: " + " · ".join(one_line(one) for one in message.suggestions))

    def _ended(self, turn: TurnView, message: MessageView | None) -> None:
        if message is not None and message.role == "assistant":
            self._whole(turn, message)
        if turn.error is not None:
            self._notice(f"Failed: {turn.error.detail} ({turn.error.code})", "bold red")
        else:
            self._notice(f"({turn.state})")

    def _tool(self, call: ToolCallView) -> None:
        state = CallState(call.state)
        if state in _QUIET:
            return
        mark = _MARKS.get(state, "✗")
        detail = f": {reveal(one_line(call.detail))}" if call.detail else ""
        took = ""
        if call.started_at and call.ended_at:
            took = f" in {int((call.ended_at - call.started_at).total_seconds() * 1000)} ms"
        self._notice(f"{mark} {call.action}({brief(call.arguments)}) {state}{took}{detail}", "dim")

    def _speech(self, turn_id: str) -> Speech:
        return self._speeches.setdefault(turn_id, Speech(self._screen))

    def _end_lines(self) -> None:
        for speech in self._speeches.values():
            speech.end_line()

    def _notice(self, text: str, style: str = "dim") -> None:
        self._end_lines()
        self._screen.say(text, style)
