"""What follows a reply, decided as it is committed: suggestions at once, or the workflow that learns and sums up."""

from dataclasses import dataclass

from connectors.registry import Registry
from core.store import summaries
from core.store.context import BYTES_PER_TOKEN, Talk
from core.store.database import Database
from workers.llm.offline.remember import to_forget, to_remember
from workers.llm.port import ChatModel
from workers.reflecting.follow_ups import follow_ups


@dataclass(frozen=True)
class Following:
    """What the workflow is to do after the reply; `suggestions` None leaves them to learning."""

    learn: bool
    sum_up: bool
    suggestions: tuple[str, ...] | None


class Afterwards:
    """Knows what a reply is followed by."""

    def __init__(self, database: Database, registry: Registry, *, learns: bool, context_tokens: int) -> None:
        """Take what there is to suggest. `learns`: a model may be asked what a turn said about its person."""
        self._database = database
        self._registry = registry
        self._learns = learns
        self._threshold = context_tokens // 2

    async def follow(self, talk: Talk, model: ChatModel | None, reply: str) -> Following:
        """Say what follows the current turn's reply, which `model` gave."""
        said = talk.current.message.text
        wished = to_remember(said) is not None or to_forget(said) is not None
        learns = wished or (self._learns and model is not None and not model.offline)
        suggestions = (
            None
            if learns
            else follow_ups(self._registry.of(talk.conversation.workspace_id), said, reply, talk.current.calls)
        )
        return Following(learn=learns, sum_up=await self._is_long(talk), suggestions=suggestions)

    async def _is_long(self, talk: Talk) -> bool:
        """Whether so much was said that a summary is due; of a short talk nothing is read.

        A longer talk may have come here cut: half of what is too much is reason enough to count.
        """
        turn = talk.current.turn
        if turn.thread_id is not None:
            return False
        most = self._threshold * BYTES_PER_TOKEN
        size = sum(record.size(most // 6) for record in talk.turns)
        if size <= most // 2 and len(talk.turns) <= summaries.WINDOW:
            return False
        async with self._database.reading() as session:
            return await summaries.is_long(session, turn, self._threshold)
