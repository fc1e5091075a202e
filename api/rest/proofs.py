"""Proofs of who somebody is: of a sign-in that exists, and as its second step."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field

from api.proving.place import place_of
from api.proving.values import ByCode, ByPasskey, ByPassword, ByProvider, PasskeyOptions, Secret
from api.rest.context import Here, PerhapsWho, Who, address_of
from api.rest.oidc import browser_of
from api.signing import SignedIn
from core.values import Value
from core.views import SessionView

router = APIRouter(prefix="/auth", tags=["auth"])

Proof = Annotated[ByPassword | ByCode | ByPasskey | ByProvider, Field(discriminator="method")]
Second = Annotated[ByCode | ByPasskey, Field(discriminator="method")]


class SecondStep(Value):
    """The second step of a sign-in that answered `second_factor_required`."""

    ceremony_id: Secret = Field(examples=["cer_1"])
    proof: Second = Field(examples=[{"method": "totp", "code": "492039"}])


class PasskeySignIn(Value):
    """A sign-in by a passkey alone; with several workspaces, to which (else the first)."""

    proof: ByPasskey
    workspace_id: Secret | None = Field(None, examples=["wks_1"])


class AskOptions(Value):
    """For the second step of a sign-in: its `ceremony_id`."""

    ceremony_id: Secret | None = Field(None, examples=["cer_1"])


@router.get("/session")
async def session(here: Here, who: Who) -> SessionView:
    """Show this sign-in: how sure the server is of you, until when, and how you can prove who you are."""
    return await here.proving.view(who)


@router.post("/prove")
async def prove(body: Proof, here: Here, who: Who, request: Request) -> SessionView:
    """Prove afresh who you are, where a decision asks for it (`step_up_required`)."""
    await here.limits.check("proof", who.user_id)
    if isinstance(body, ByProvider):
        return await here.oidc.prove(who, body.ticket, browser_of(request))
    return await here.proving.prove(who, body, address_of(request))


@router.post("/second-factor")
async def second_factor(body: SecondStep, here: Here, request: Request) -> SignedIn:
    """End a sign-in that asked for more than a password."""
    await here.limits.check("ceremony", address_of(request))
    return await here.proving.second_factor(body.ceremony_id, body.proof)


@router.post("/passkey-options")
async def passkey_options(body: AskOptions, here: Here, who: PerhapsWho, request: Request) -> PasskeyOptions:
    """Begin a proof by passkey: of your session, of the second step of a sign-in, or a sign-in by passkey alone."""
    await here.limits.check("ceremony", address_of(request))
    return await here.proving.options(place_of(here.settings, request), who, body.ceremony_id)


@router.post("/passkey-sign-in")
async def passkey_sign_in(body: PasskeySignIn, here: Here, request: Request) -> SignedIn:
    """Sign in with a passkey alone, which has verified you."""
    label = request.headers.get("user-agent", "")
    return await here.proving.sign_in(body.proof, body.workspace_id, address_of(request), label)
