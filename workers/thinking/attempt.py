"""One try of a round: what is asked of which model, under which reservation."""

from dataclasses import dataclass
from datetime import datetime

from core.store.usage import Charge
from workers.llm.port import ChatModel
from workers.thinking.brief import Briefing


@dataclass(frozen=True)
class Chosen:
    """The model of a call (None: nobody is asked), what it is charged with, and who is asked when it fails.

    `tokens_in`: our count of what goes in; `tokens_out`: the longest answer. `budgeted`: a budget applies;
    `reserve`: so this call is reserved first.
    """

    model: ChatModel | None
    charge: Charge
    reserve: bool = False
    others: tuple[ChatModel, ...] = ()
    allowed: frozenset[str] | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    budgeted: bool = False


@dataclass(frozen=True)
class Attempt:
    """One try of a round: its number, what it tells whom, the reservation, when it began."""

    number: int
    briefing: Briefing
    chosen: Chosen
    usage_id: str | None
    began: datetime
