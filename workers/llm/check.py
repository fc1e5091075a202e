"""The activity `check_model`: one cheap request that the model's key must open, and what came of it, in SQL as well."""

import time

from temporalio import activity

from core.messages import ModelCheck, ModelChecked
from core.rooms import Rooms
from core.store import model_health
from core.store.database import Database
from core.store.work import change
from workers.llm.errors import ModelError
from workers.llm.port import ChatModel
from workers.llm.router import Router
from workers.llm.sight import Looks, Seen


class Checker:
    """Checks configured models."""

    def __init__(self, database: Database, rooms: Rooms, router: Router) -> None:
        """Take the models, and where their health is written down."""
        self._database = database
        self._rooms = rooms
        self._router = router

    @activity.defn(name="check_model")
    async def check_model(self, check: ModelCheck) -> ModelChecked:
        """Check one model by its name. What it gives holds neither the key nor the provider's words."""
        model = self._router.named(check.name)
        if model is None:
            return ModelChecked(name=check.name, ok=False, code="unknown_model", sentence="No model has this name.")
        found = await self._look(model)
        async with change(self._database, self._rooms) as work:
            await model_health.note(work, **found.model_dump())
        return found

    async def _look(self, model: ChatModel) -> ModelChecked:
        began = time.monotonic()
        try:
            seen = await _see(model)
        except ModelError as error:
            self._router.health.failed(model.name, error)
            return ModelChecked(
                name=model.name, ok=False, code=error.code, sentence=error.detail, took_ms=_milliseconds(began)
            )
        self._router.health.answered(model.name)
        code, sentence = _word(model, seen)
        return ModelChecked(
            name=model.name,
            ok=True,
            code=code,
            sentence=sentence,
            took_ms=_milliseconds(began),
            models_seen=seen.models,
        )


async def _see(model: ChatModel) -> Seen:
    if isinstance(model, Looks):
        return await model.check()
    await model.ping()
    return Seen()


def _word(model: ChatModel, seen: Seen) -> tuple[str, str]:
    if model.offline:
        return "ok", "The offline assistant is built in: it needs no key."
    if seen.listed is False:
        return "not_listed", "It answers and takes the key, but does not list this model: check the model's name."
    return "ok", "It answers and takes the key."


def _milliseconds(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
