"""Small questions to a model beside a turn: facts to keep, a summary, what to say next. Accounted like any call."""

from contextlib import aclosing
from dataclasses import replace

from core.faults import crash_point
from core.rooms import Rooms
from core.store import usage
from core.store.database import Database
from core.store.limits import limits_of
from core.store.usage import Charge, Figures
from core.store.work import change
from workers.llm.errors import ModelError
from workers.llm.port import ChatModel, ModelRequest, TextDelta, UsageReported, UserSaid
from workers.llm.router import Need, Router
from workers.llm.traits import BYTES_PER_TOKEN


class Aside:
    """Asks the cheapest model that fits."""

    def __init__(self, database: Database, rooms: Rooms, router: Router) -> None:
        """Take the models and where their use is written down."""
        self._database = database
        self._rooms = rooms
        self._router = router

    async def ask(self, whose: Charge, system: str, text: str) -> str | None:
        """Give the model's whole answer; None when only the offline assistant is there.

        `whose` says whose call it is and its purpose; model and figures are filled in here. Raises ModelError, and
        AssentError when the person may ask none of the models, or a budget does not allow it.
        """
        request = ModelRequest(system=system, entries=(UserSaid(text),), tools=(), first_reply=True)
        tokens = (len(system.encode()) + len(text.encode())) // BYTES_PER_TOKEN
        async with self._database.reading() as session:
            bounds = await limits_of(session, whose.workspace_id, whose.user_id)
        model = self._router.chain(Need(tokens=tokens, tier="small", allowed=bounds.allowed, priced=bounds.in_money))[0]
        if model.offline:
            return None
        traits = self._router.traits(model.name)
        most = traits.max_output_tokens
        known = {"model": model.name, "provider": traits.provider, **traits.bounds(tokens, most)}
        charge = whose.model_copy(update=known)
        usage_id = None
        if bounds.budgeted:
            request = replace(request, max_tokens=most)
            usage_id = await self._reserve(charge)
        crash_point("aside.reserved")
        try:
            said, reported = await _listen(model, request)
        except ModelError as error:
            await self._release(usage_id)
            if error.reported is not None:
                async with change(self._database, self._rooms) as work:
                    usage.unusable(work, charge, traits.figures(model.name, error.reported, tokens_in=tokens, said=""))
            raise
        crash_point("aside.answered")
        await self._settle(charge, usage_id, traits.figures(model.name, reported, tokens_in=tokens, said=said))
        return said

    async def _reserve(self, charge: Charge) -> str:
        async with change(self._database, self._rooms) as work:
            return await usage.reserve(work, charge)

    async def _release(self, usage_id: str | None) -> None:
        if usage_id is not None:
            async with change(self._database, self._rooms) as work:
                await usage.release(work, usage_id)

    async def _settle(self, charge: Charge, usage_id: str | None, figures: Figures) -> None:
        async with change(self._database, self._rooms) as work:
            if usage_id is not None:
                await usage.settle(work, usage_id, figures)
            else:
                usage.record(work, charge, figures)


async def _listen(model: ChatModel, request: ModelRequest) -> tuple[str, UsageReported | None]:
    said: list[str] = []
    reported: UsageReported | None = None
    async with aclosing(model.stream(request)) as stream:
        async for item in stream:
            if isinstance(item, TextDelta):
                said.append(item.text)
            elif isinstance(item, UsageReported):
                reported = item
    return "".join(said), reported
