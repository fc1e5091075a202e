"""Profiles in SQL: what a person says about themselves, which every model call is told."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from core.permissions import Principal
from core.store.work import Work
from core.tables.people import User
from core.views import ProfileView


async def own(session: AsyncSession, who: Principal) -> ProfileView:
    """Give the person's own profile."""
    return _view(await session.get_one(User, who.user_id))


async def change(work: Work, who: Principal, values: dict[str, Any]) -> ProfileView:
    """Put these values (name, locale, time_zone, preferences) into the person's own profile; the rest stays."""
    row = await work.session.get_one(User, who.user_id, with_for_update=True)
    for name, value in values.items():
        setattr(row, name, value)
    await work.session.flush()
    return _view(row)


def _view(row: User) -> ProfileView:
    known = row.model_dump(include=set(ProfileView.model_fields))
    return ProfileView.model_validate({**known, "preferences": row.preferences or {}})
