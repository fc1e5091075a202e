"""Models as the doors show them: as the settings name them, how they were lately, and checked by a worker."""

from core.errors import NotFound
from core.messages import ModelChecked
from core.model_entries import OFFLINE, entries_of, prices_of
from core.permissions import Principal
from core.settings import ModelEntry, Settings
from core.store import limits, model_health
from core.store.database import Database
from core.tables.cost import ModelHealth
from core.views import ModelHealthView, ModelView
from workflows.handles import Workflows


class Models:
    """The configured models."""

    def __init__(self, settings: Settings, database: Database, workflows: Workflows) -> None:
        """Take the settings, which hold keys: nothing of them gets into what is shown."""
        self._entries = entries_of(settings)
        self._database = database
        self._workflows = workflows

    async def listed(self, who: Principal) -> list[ModelView]:
        """Give all models in their order; `allowed` says which this person may ask."""
        async with self._database.reading() as session:
            found = await model_health.all_of(session)
            allowed = (await limits.limits_of(session, who.workspace_id, who.user_id)).allowed
        if not self._entries:
            return [_offline(found.get(OFFLINE))]
        return [
            _view(entry, found.get(entry.name), allowed=allowed is None or entry.name in allowed)
            for entry in self._entries
        ]

    async def check(self, name: str) -> ModelChecked:
        """Let a worker look at a model now. Raises NotFound, Unavailable."""
        if name not in ({entry.name for entry in self._entries} or {OFFLINE}):
            message = "There is no model of this name."
            raise NotFound(message)
        return await self._workflows.check_model(name)


def _view(entry: ModelEntry, health: ModelHealth | None, *, allowed: bool) -> ModelView:
    prices = prices_of(entry)
    return ModelView(
        name=entry.name,
        provider=entry.provider,
        tier=entry.tier,
        tools=entry.tools,
        images=entry.images,
        context_tokens=entry.context_tokens,
        max_output_tokens=entry.max_output_tokens,
        input_price=prices[0],
        output_price=prices[1],
        price_known=None not in prices,
        allowed=allowed,
        health=_health(health),
    )


def _offline(health: ModelHealth | None) -> ModelView:
    return ModelView(
        name=OFFLINE,
        provider="built in",
        tier="small",
        tools=True,
        images=False,
        context_tokens=None,
        max_output_tokens=None,
        input_price=0,
        output_price=0,
        price_known=True,
        allowed=True,
        health=_health(health),
    )


def _health(row: ModelHealth | None) -> ModelHealthView | None:
    return None if row is None else ModelHealthView.model_validate(row.model_dump(exclude={"name"}))
