"""The names that `model` may have: `assent`, `assent:MODE`, and those of the models that are set up."""

from core.errors import NotFound
from core.model_entries import entries_of
from core.permissions import Principal
from core.settings import Settings
from core.store import limits, modes
from core.store.database import Database
from core.store.submissions import Wishes

ROUTER = "assent"


class NoSuchModel(NotFound):
    """Nobody set this model up, or this person may not ask it."""

    code, title = "model_not_found", "No such model"


class Names:
    """Knows which models there are."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """Take the settings, and where modes and rules are."""
        self._set_up = tuple(entry.name for entry in entries_of(settings))
        self._database = database

    async def listed(self, who: Principal) -> list[str]:
        """Give the names that this person may ask by."""
        async with self._database.reading() as session:
            known = [mode.name for mode in await modes.listed(session, who)]
            allowed = (await limits.limits_of(session, who.workspace_id, who.user_id)).allowed
        ours = [name for name in self._set_up if allowed is None or name in allowed]
        return [ROUTER, *(f"{ROUTER}:{name}" for name in known), *ours]

    async def wishes(self, who: Principal, name: str) -> Wishes:
        """Say how a message to this model is answered. Raises NoSuchModel, which names those that there are."""
        if name == ROUTER:
            return Wishes()
        known = await self.listed(who)
        if name not in known:
            message = f"There is no model `{name[:100]}` here. There are: {', '.join(known)}."
            raise NoSuchModel(message, param="model")
        if name.startswith(f"{ROUTER}:"):
            return Wishes(mode=name.removeprefix(f"{ROUTER}:"))
        return Wishes(model=name)
