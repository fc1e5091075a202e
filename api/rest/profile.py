"""What the person who asks says about themselves."""

from fastapi import APIRouter
from pydantic import Field, model_validator

from api.rest.context import Here, Who
from core import profile
from core.store import profiles
from core.store.work import change
from core.values import Value
from core.views import ProfileView

router = APIRouter(prefix="/users/me", tags=["people"])


class ProfileChange(Value):
    """What changes; what is left out stays, null empties. `preferences` replaces all of them."""

    name: profile.PersonName | None = Field(None, examples=["Ana"])
    locale: profile.Locale | None = Field(None, examples=["de-AT"])
    time_zone: profile.TimeZone | None = Field(None, examples=["Europe/Vienna"])
    preferences: profile.Preferences | None = Field(None, examples=[{"answers": "short"}])

    @model_validator(mode="after")
    def _keeps_a_name(self) -> "ProfileChange":
        if "name" in self.model_fields_set and self.name is None:
            message = "a person needs a name"
            raise ValueError(message)
        return self


@router.get("")
async def get_profile(here: Here, who: Who) -> ProfileView:
    """Show one's own profile: every model call of one's turns is told it."""
    async with here.database.reading() as session:
        return await profiles.own(session, who)


@router.patch("")
async def change_profile(here: Here, who: Who, body: ProfileChange) -> ProfileView:
    """Change one's own name, language, time zone and preferences; it holds from the next message on."""
    async with change(here.database, here.rooms) as work:
        return await profiles.change(work, who, body.model_dump(exclude_unset=True))
