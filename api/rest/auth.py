"""Signing in, staying signed in, signing out, and the first visit, which makes the owner."""

from typing import Annotated

from fastapi import APIRouter, Request, status
from pydantic import Field, StringConstraints

from api.rest.context import Here, PerhapsWho, Who, address_of
from api.signing import SignedIn
from core.passwords import Password, TypedPassword
from core.profile import PersonName
from core.store import people
from core.text import SafeStr
from core.values import Value
from core.views import PersonView

router = APIRouter(tags=["auth"])

Email = Annotated[SafeStr, StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
Secret = Annotated[SafeStr, StringConstraints(min_length=1, max_length=200)]
_EMAIL = "ana@example.com"
_PASSWORD = "a sentence only Ana knows"  # noqa: S105  # an example in the API's description


class SignIn(Value):
    """Who signs in; with several workspaces, to which (else the first)."""

    email: Annotated[SafeStr, StringConstraints(max_length=254)] = Field(examples=[_EMAIL])
    password: TypedPassword = Field(examples=[_PASSWORD])
    workspace_id: Secret | None = None


class Refresh(Value):
    """The refresh token of the last answer; it is used up by this."""

    refresh_token: Secret = Field(examples=["mJ3vX0c9w2Qe7nT5yB1kRzL8pHsD4gFa6uVtYiNoMxE"])


class SignOut(Value):
    """The refresh token of the session to end, when the access token is over already."""

    refresh_token: Secret | None = None


class Setup(Value):
    """The first visit: the one-time code that the server printed, and who the owner is."""

    code: Secret = Field(examples=["7KQ2-M4XD"])
    email: Email = Field(examples=[_EMAIL])
    name: PersonName = Field(examples=["Ana"])
    password: Password = Field(examples=[_PASSWORD])
    workspace: PersonName = Field("Home", examples=["Bakery"])


class SetupState(Value):
    """Whether the server waits for its first visitor."""

    needed: bool


@router.post("/auth/sign-in")
async def sign_in(body: SignIn, here: Here, request: Request) -> SignedIn:
    """Sign in with e-mail address and password."""
    label = request.headers.get("user-agent", "")
    return await here.signing.sign_in(body.email, body.password, body.workspace_id, address_of(request), label)


@router.post("/auth/refresh")
async def refresh(body: Refresh, here: Here, request: Request) -> SignedIn:
    """Change a refresh token for fresh tokens. A token that comes twice ends its session."""
    return await here.signing.refresh(body.refresh_token, address_of(request))


@router.post("/auth/sign-out", status_code=status.HTTP_204_NO_CONTENT)
async def sign_out(here: Here, who: PerhapsWho, body: SignOut | None = None) -> None:
    """End a session with all its tokens and sockets: that of the access token, or of the refresh token."""
    await here.signing.sign_out(who, body.refresh_token if body else None)


@router.get("/setup")
async def setup_state(here: Here) -> SetupState:
    """Tell whether the server has no owner yet."""
    return SetupState(needed=await here.signing.needs_owner())


@router.post("/setup", status_code=status.HTTP_201_CREATED)
async def setup(body: Setup, here: Here, request: Request) -> SignedIn:
    """Make the owner and the workspace, once, with the code that the server printed; signs in."""
    return await here.signing.make_owner(
        body.code,
        address_of(request),
        email=body.email,
        name=body.name,
        password=body.password,
        workspace=body.workspace,
    )


@router.get("/me")
async def me(here: Here, who: Who) -> PersonView:
    """Show who is signed in."""
    async with here.database.reading() as session:
        return await people.one(session, who, who.user_id)
