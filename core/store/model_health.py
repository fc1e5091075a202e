"""How models are, in SQL: written when somebody checks one, and when its calls begin to fail or go well again."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.store.work import Work
from core.tables.cost import ModelHealth

WELL = "It answers."


async def note(
    work: Work,
    name: str,
    *,
    ok: bool,
    code: str = "ok",
    sentence: str = WELL,
    took_ms: int | None = None,
    models_seen: int | None = None,
) -> None:
    """Write how a model is now; a sentence is ours, never the provider's."""
    row = ModelHealth(
        name=name, ok=ok, code=code, sentence=sentence, took_ms=took_ms, models_seen=models_seen, at=now()
    )
    await work.session.merge(row)


async def all_of(session: AsyncSession) -> dict[str, ModelHealth]:
    """Give the newest word on each model, by name."""
    return {row.name: row for row in (await session.execute(select(ModelHealth))).scalars()}


async def failing(session: AsyncSession) -> list[str]:
    """Give the names of those that did not answer when somebody last asked."""
    return list((await session.execute(select(ModelHealth.name).where(ModelHealth.ok.is_(False)))).scalars())
