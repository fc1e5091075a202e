"""Ways of answering, as data: what is told to the model, which tools it has, how much it may do."""

import re
from collections.abc import Sequence
from typing import Literal

from core.errors import Invalid
from core.values import Value

DEFAULT = "full"
NOT_IN_THIS_MODE = "not in this mode"
NAME = r"^[a-z][a-z0-9_]{0,39}$"
Tier = Literal["small", "standard", "strong"]


class UnknownMode(Invalid):
    """Nobody made this mode, or somebody removed it; the sentence names those that there are."""

    code, title = "unknown_mode", "Unknown mode"


class Mode(Value):
    """One way of answering. `tools`: connectors or actions, None: all; `()`: none. Limits None: as set.

    A limit only ever lowers what the settings allow. `model` is asked first when it fits; `tier` else chooses.
    """

    name: str
    title: str
    prompt: str = ""
    model: str | None = None
    tier: Tier | None = None
    tools: tuple[str, ...] | None = None
    rounds: int | None = None
    tool_calls: int | None = None
    max_tokens: int | None = None

    def allows(self, action: str) -> bool:
        """Whether an action, `connector.name`, may be called."""
        return self.tools is None or action in self.tools or action.partition(".")[0] in self.tools


BUILT_IN = {
    one.name: one
    for one in (
        Mode(name=DEFAULT, title="Full"),
        Mode(
            name="quick",
            title="Quick",
            prompt="Answer in at most three short sentences, without an introduction. Use a tool only when there is no "
            "answer without it.",
            tier="small",
            rounds=3,
            tool_calls=4,
            max_tokens=400,
        ),
        Mode(
            name="analysis",
            title="Analysis",
            prompt="Work thoroughly. Look up what you need before you conclude. Say what you looked at, what follows "
            "from it, how sure you are and what would change your mind. Keep facts apart from guesses.",
            tier="strong",
        ),
        Mode(
            name="support",
            title="Support",
            prompt="Help somebody with a problem. Ask one question at a time when something is missing. Give one step "
            "at a time, in plain words, and ask whether it helped. Promise nothing that no tool result shows; say "
            "plainly when a person has to take over.",
            rounds=5,
            tool_calls=8,
        ),
    )
}


def unknown(name: str, known: Sequence[str]) -> UnknownMode:
    """Make the error for a mode that is not there."""
    shown = name if re.match(NAME, name) else "of this name"
    return UnknownMode(f"There is no mode {shown}. Known are: {', '.join(known)}.", known=list(known))
