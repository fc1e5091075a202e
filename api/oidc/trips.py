"""Trips to a provider and back: begun by one browser, ended by the same one, each used once."""

import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import structlog

from api.oidc.values import Begin, Begun, Claims, ProviderView, Returned, Trip
from api.proving.place import Place
from core.errors import AssentError, NotFound, NotSignedIn, ProofFailed
from core.ids import new_secret, secret_hash
from core.oidc_entries import OidcEntries, OidcEntry
from core.permissions import Principal
from core.store import ceremonies
from core.store.database import Database
from core.tables.identity import Ceremony

if TYPE_CHECKING:
    from api.oidc.provider import Provider

_log = structlog.get_logger()
CALLBACK = "/api/v1/auth/oidc/{name}/callback"
_ANOTHER = "This sign-in was begun in another browser, or it took too long: begin again."


def _providers(entries: OidcEntries) -> "dict[str, Provider]":
    if not entries:
        return {}
    from api.oidc.provider import Provider  # slow to import: only where there are any

    return {entry.name: Provider(entry) for entry in entries}


class Trips:
    """Sends browsers to providers, and takes what they come back with. One for each api process."""

    def __init__(self, database: Database, entries: OidcEntries) -> None:
        """Know the providers; none is asked before somebody needs it."""
        self._database = database
        self._providers = _providers(entries)

    def listed(self) -> Sequence[ProviderView]:
        """Give the providers that people may choose from."""
        entries = [provider.entry for provider in self._providers.values()]
        return [ProviderView(name=entry.name, title=entry.title or entry.name) for entry in entries]

    async def begin(self, name: str, body: Begin, place: Place, who: Principal | None, browser: str) -> Begun:
        """Give the address of the provider's page; `browser` is its cookie.

        Raises NotFound, NotSignedIn (nobody to link to), Unavailable.
        """
        provider = self._provider(name)
        if body.purpose != "sign-in" and who is None:
            message = "Sign in first."
            raise NotSignedIn(message)
        trip = Trip(
            provider=name,
            purpose=body.purpose,
            origin=place.origin,
            loopback_port=body.loopback_port,
            binding=secret_hash(browser),
            verifier=new_secret(),
            nonce=new_secret(),
        )
        state = new_secret()
        url = await provider.address(
            redirect_uri=_redirect_uri(trip),
            state=state,
            nonce=trip.nonce,
            verifier=trip.verifier,
            fresh=body.purpose == "prove",
        )
        bound = {"user_id": who.user_id, "session_id": who.session_id} if who and body.purpose != "sign-in" else {}
        async with self._database.writing() as session:
            await ceremonies.begin(session, ceremonies.OIDC_TRIP, secret=state, **bound, **trip.model_dump())
        return Begun(url=url)

    async def end(self, name: str, returned: Returned, browser: str | None) -> str:
        """Take a browser back; gives where it goes: to the page, or to the command line that waits, with a ticket.

        Only what the trip itself says decides where that is. Raises ProofFailed for a state that is not under way here.
        """
        async with self._database.writing() as session:
            row = await ceremonies.take(session, ceremonies.OIDC_TRIP, returned.state)
        trip = Trip.model_validate(row.body)
        if trip.loopback_port is None and not _is_of(trip.binding, browser):
            raise ProofFailed(_ANOTHER)
        try:
            claims = await self._claims(name, trip, returned)
        except AssentError as error:
            cause = type(error.__cause__).__name__
            _log.warning("a sign-in by a provider failed", provider=trip.provider, code=error.code, cause=cause)
            return _back(trip, error=error.code)
        return _back(trip, ticket=await self._ticket(row, trip, claims))

    async def redeem(self, ticket: str, purpose: str, who: Principal | None, browser: str | None) -> "Redeemed":
        """Use a ticket up, in the browser and for the purpose and person that began. Raises ProofFailed."""
        async with self._database.writing() as session:
            row = await ceremonies.take(session, ceremonies.OIDC_TICKET, ticket)
        trip = Trip.model_validate(row.body["trip"])
        begun_by = (who.user_id, who.session_id) if who and purpose != "sign-in" else (None, None)
        is_same = _is_of(trip.binding, browser) and (row.user_id, row.session_id) == begun_by
        if trip.purpose != purpose or not is_same:
            raise ProofFailed(_ANOTHER)
        claims = Claims.model_validate(row.body["claims"])
        entry = self._provider(trip.provider).entry
        _check_domain(entry, claims)
        return Redeemed(entry, claims, row)

    async def _claims(self, name: str, trip: Trip, returned: Returned) -> Claims:
        """Check that the answer came from the provider that was asked (RFC 9207), and change its code."""
        if name != trip.provider:
            message = "Another provider answered."
            raise ProofFailed(message)
        provider = self._provider(name)
        metadata = await provider.metadata()
        must_say = metadata.authorization_response_iss_parameter_supported
        if (returned.iss is not None or must_say) and returned.iss != metadata.issuer:
            message = "Another provider answered."
            raise ProofFailed(message)
        if returned.error is not None or returned.code is None:
            message = "The provider signed nobody in."
            raise ProofFailed(message)
        return await provider.claims(
            code=returned.code, redirect_uri=_redirect_uri(trip), verifier=trip.verifier, nonce=trip.nonce
        )

    async def _ticket(self, row: Ceremony, trip: Trip, claims: Claims) -> str:
        kept = trip.model_copy(update={"verifier": "", "nonce": ""})
        async with self._database.writing() as session:
            return await ceremonies.begin(
                session,
                ceremonies.OIDC_TICKET,
                user_id=row.user_id,
                session_id=row.session_id,
                trip=kept.model_dump(),
                claims=claims.model_dump(mode="json"),
                begun_at=row.created_at.isoformat(),
            )

    def _provider(self, name: str) -> "Provider":
        found = self._providers.get(name)
        if found is None:
            message = "There is no such provider here."
            raise NotFound(message)
        return found


class Redeemed:
    """What a ticket was worth."""

    def __init__(self, entry: OidcEntry, claims: Claims, ceremony: Ceremony) -> None:
        """Keep who said what, and in which ceremony."""
        self.entry, self.claims, self.ceremony = entry, claims, ceremony


def _is_of(binding: str, browser: str | None) -> bool:
    return browser is not None and hmac.compare_digest(binding, secret_hash(browser))


def _redirect_uri(trip: Trip) -> str:
    return trip.origin + CALLBACK.format(name=trip.provider)


def _back(trip: Trip, **said: str) -> str:
    """Give the way back; to the page in the fragment, which browsers send to nobody."""
    if trip.loopback_port is not None:
        return f"http://127.0.0.1:{trip.loopback_port}/?{urlencode(said)}"
    return (
        f"{trip.origin}/#{urlencode({f'oidc-{name}': value for name, value in said.items()} | {'for': trip.purpose})}"
    )


def _check_domain(entry: OidcEntry, claims: Claims) -> None:
    """Let nobody in from elsewhere, where the settings name domains."""
    domain = (claims.email or "").rpartition("@")[2]
    if entry.allowed_domains and not (claims.email_verified and domain in entry.allowed_domains):
        message = "Accounts of this domain may not sign in here."
        raise ProofFailed(message, reason="domain")
