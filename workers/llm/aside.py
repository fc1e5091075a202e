"""Small questions to a model beside a turn: facts to keep, a summary, what to say next. Accounted like any call."""

from contextlib import aclosing

from core.rooms import Rooms
from core.store import usage
from core.store.database import Database
from core.store.usage import Charge, Figures
from core.store.work import change
from workers.llm.errors import ModelError
from workers.llm.port import ModelRequest, TextDelta, UsageReported, UserSaid
from workers.llm.router import Need, Router


class Aside:
    """Asks the cheapest model that fits."""

    def __init__(self, database: Database, rooms: Rooms, router: Router) -> None:
        """Take the models and where their use is written down."""
        self._database = database
        self._rooms = rooms
        self._router = router

    async def ask(self, whose: Charge, system: str, text: str) -> str | None:
        """Give the model's whole answer; None when only the offline assistant is there. Raises ModelError.

        `whose` says whose call it is and its purpose; model and figures are filled in here.
        """
        request = ModelRequest(system=system, entries=(UserSaid(text),), tools=(), first_reply=True)
        tokens = (len(system.encode()) + len(text.encode())) // 4
        model = self._router.chain(Need(tokens=tokens, tier="small"))[0]
        if model.offline:
            return None
        charge = whose.model_copy(update={"model": model.name, "tokens": tokens})
        async with change(self._database, self._rooms) as work:
            usage_id = await usage.reserve(work, charge)
        said: list[str] = []
        figures = Figures(model=model.name)
        try:
            async with aclosing(model.stream(request)) as stream:
                async for item in stream:
                    if isinstance(item, TextDelta):
                        said.append(item.text)
                    elif isinstance(item, UsageReported):
                        figures = Figures(
                            model=item.model, input_tokens=item.input_tokens, output_tokens=item.output_tokens
                        )
        except ModelError:
            async with change(self._database, self._rooms) as work:
                await usage.release(work, usage_id)
            raise
        async with change(self._database, self._rooms) as work:
            await usage.settle(work, usage_id, figures)
        return "".join(said)
