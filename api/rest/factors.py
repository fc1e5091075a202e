"""What somebody can prove themselves with: the authenticator app, recovery codes, passkeys. Changes need a proof."""

from typing import Annotated

from fastapi import APIRouter, Request, status
from pydantic import Field, StringConstraints

from api.proving.codes import Enrolment
from api.proving.passkeys import Answer
from api.proving.place import place_of
from api.proving.values import PasskeyOptions, Secret
from api.rest.context import Here, PathId, Who
from api.rest.pages import Cursor, Limit, Page
from core.store import passkeys
from core.text import SafeStr, SpokenStr
from core.values import Value
from core.views import PasskeyView

router = APIRouter(prefix="/auth", tags=["auth"])

Name = Annotated[SpokenStr, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Code(Value):
    """A code that the app shows."""

    code: Annotated[SafeStr, StringConstraints(max_length=40)] = Field(examples=["492039"])


class RecoveryCodes(Value):
    """Codes for the day the app is lost, each good once; shown now and never again."""

    codes: list[str]


class NewPasskey(Value):
    """What the authenticator made for the options that `ceremony_id` names."""

    ceremony_id: Secret
    name: Name = Field("Passkey", examples=["Ana's phone"])
    credential: Answer


class Rename(Value):
    """What to call it."""

    name: Name = Field(examples=["Phone"])


@router.post("/totp", status_code=status.HTTP_201_CREATED)
async def add_totp(here: Here, who: Who) -> Enrolment:
    """Begin with an authenticator app: its secret, shown once. It counts when a code confirmed it."""
    return await here.enrolling.add_totp(who)


@router.post("/totp/confirm")
async def confirm_totp(here: Here, who: Who, body: Code) -> RecoveryCodes:
    """Confirm the app by its first code; from now on the password alone is not enough."""
    return RecoveryCodes(codes=await here.enrolling.confirm_totp(who, body.code))


@router.post("/totp/recovery-codes")
async def renew_recovery_codes(here: Here, who: Who) -> RecoveryCodes:
    """Get new recovery codes; the old ones work no more."""
    return RecoveryCodes(codes=await here.enrolling.renew_recovery_codes(who))


@router.delete("/totp", status_code=status.HTTP_204_NO_CONTENT)
async def remove_totp(here: Here, who: Who) -> None:
    """Remove the app and its recovery codes."""
    await here.enrolling.remove_totp(who)


@router.get("/passkeys")
async def list_passkeys(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[PasskeyView]:
    """List your passkeys, newest first."""
    async with here.database.reading() as session:
        items, following, total = await passkeys.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("/passkeys/options")
async def new_passkey_options(here: Here, who: Who, request: Request) -> PasskeyOptions:
    """Begin to register a passkey."""
    return await here.enrolling.passkey_options(who, place_of(here.settings, request))


@router.post("/passkeys", status_code=status.HTTP_201_CREATED)
async def add_passkey(here: Here, who: Who, body: NewPasskey) -> PasskeyView:
    """Register a passkey; from now on the password alone is not enough."""
    return await here.enrolling.add_passkey(who, body.ceremony_id, body.name, body.credential)


@router.patch("/passkeys/{passkey_id}")
async def rename_passkey(here: Here, who: Who, passkey_id: PathId, body: Rename) -> PasskeyView:
    """Call a passkey otherwise."""
    return await here.enrolling.rename_passkey(who, passkey_id, body.name)


@router.delete("/passkeys/{passkey_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_passkey(here: Here, who: Who, passkey_id: PathId) -> None:
    """Remove a passkey."""
    await here.enrolling.remove_passkey(who, passkey_id)
