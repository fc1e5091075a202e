"""Signing in with OpenID providers, and the accounts there that people linked."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import Field

from api.oidc.values import Begin, Begun, ProviderView, Returned
from api.proving.place import Place, place_of
from api.proving.values import Secret
from api.rest.context import Here, PathId, PerhapsWho, Who, address_of
from api.rest.pages import Cursor, Limit, Page
from api.signing import SignedIn
from core.errors import AssentError
from core.ids import new_secret
from core.store import oidc_accounts
from core.store.ceremonies import LIFE
from core.values import Value
from core.views import OidcAccountView

router = APIRouter(prefix="/auth/oidc", tags=["auth"])

_SECURE, _PLAIN = "__Host-assent-oidc", "assent-oidc"
_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")


class Ticket(Value):
    """What the way back from a provider brought; worth something once, in the browser that began."""

    ticket: Secret = Field(examples=["p7Zk2d9WqLm4"])


def browser_of(request: Request) -> str | None:
    """Give the cookie by which a browser is known on its way to a provider and back."""
    found = request.cookies.get(_SECURE) or request.cookies.get(_PLAIN)
    return found if found and _COOKIE.fullmatch(found) else None


@router.get("")
async def list_providers(here: Here) -> Page[ProviderView]:
    """List the providers that one may sign in with."""
    items = list(here.trips.listed())
    return Page(items=items, next=None, total=len(items))


@router.post("/{name}/begin")
async def begin(name: Secret, body: Begin, here: Here, who: PerhapsWho, request: Request, response: Response) -> Begun:
    """Begin a trip to a provider's sign-in page; the browser is known again by a cookie."""
    await here.limits.check("ceremony", address_of(request))
    place, browser = place_of(here.settings, request), browser_of(request) or new_secret()
    begun = await here.trips.begin(name, body, place, who, browser)
    _set_cookie(response, place, browser)
    return begun


@router.get("/{name}/callback", response_class=RedirectResponse, status_code=status.HTTP_303_SEE_OTHER)
async def callback(
    name: Secret, returned: Annotated[Returned, Depends()], here: Here, request: Request
) -> RedirectResponse:
    """Take a browser back from a provider; it goes on to the page, with a ticket that signs nobody in by itself."""
    await here.limits.check("ceremony", address_of(request))
    try:
        address = await here.trips.end(name, returned, browser_of(request))
    except AssentError as error:
        address = f"{place_of(here.settings, request).origin}/#oidc-error={error.code}"
    return RedirectResponse(address, status.HTTP_303_SEE_OTHER)


@router.post("/sign-in")
async def sign_in(body: Ticket, here: Here, request: Request) -> SignedIn:
    """Sign in with a ticket."""
    await here.limits.check("ceremony", address_of(request))
    return await here.oidc.sign_in(body.ticket, browser_of(request), request.headers.get("user-agent", ""))


@router.get("/accounts")
async def list_accounts(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[OidcAccountView]:
    """List your linked accounts, newest first."""
    async with here.database.reading() as session:
        items, following, total = await oidc_accounts.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("/accounts", status_code=status.HTTP_201_CREATED)
async def link(body: Ticket, here: Here, who: Who, request: Request) -> OidcAccountView:
    """Link the account that a ticket is of to yours."""
    return await here.oidc.link(who, body.ticket, browser_of(request))


@router.delete("/accounts/{account_id}", status_code=status.HTTP_204_NO_CONTENT)
async def unlink(here: Here, who: Who, account_id: PathId) -> None:
    """Unlink an account."""
    await here.oidc.unlink(who, account_id)


def _set_cookie(response: Response, place: Place, browser: str) -> None:
    """Set it for this site's own requests and for the way back, out of the page's reach."""
    name = _SECURE if place.is_secure else _PLAIN
    response.set_cookie(
        name,
        browser,
        max_age=int(LIFE.total_seconds()),
        path="/",
        secure=place.is_secure,
        httponly=True,
        samesite="lax",
    )
