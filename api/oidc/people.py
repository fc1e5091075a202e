"""From what a provider says to a person of ours: by a linked account, else by an address that we may trust."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.oidc.trips import Redeemed, Trips
from api.oidc.values import Claims
from api.proving.proving import Proving
from api.signing import SignedIn, Signing
from core.clock import now
from core.errors import NotAllowed, NotSignedIn, ProofFailed
from core.oidc_entries import OidcEntry
from core.permissions import Principal, Role
from core.profile import clean_name
from core.store import oidc_accounts, people
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import Work
from core.tables.people import User
from core.values import Value
from core.views import OidcAccountView, SessionView

_UNKNOWN = "Nobody here has this account: sign in otherwise and link it, or ask for an invitation."
_SKEW = timedelta(seconds=30)


class Found(Value):
    """Whose account it is; `workspace_id` where they have just joined one."""

    user_id: str
    workspace_id: str | None = None


class OidcPeople:
    """Signs people in by a provider, links their accounts, and takes a provider's word as a proof."""

    def __init__(self, database: Database, audit: AuditTrail, trips: Trips, signing: Signing, proving: Proving) -> None:
        """Take what it reads and writes."""
        self._database = database
        self._audit = audit
        self._trips = trips
        self._signing = signing
        self._proving = proving

    async def sign_in(self, ticket: str, browser: str | None, label: str) -> SignedIn:
        """Begin a session of whose account it is. Raises NotSignedIn, SecondFactorRequired, ProofFailed."""
        redeemed = await self._trips.redeem(ticket, "sign-in", None, browser)
        async with self._database.writing() as session:
            found = await self._find(Work(session), redeemed.entry, redeemed.claims)
        at = _no_later_than_now(redeemed.claims.auth_time)
        return await self._signing.enter(found.user_id, found.workspace_id, label, "oidc" if at else None, at)

    async def link(self, who: Principal, ticket: str, browser: str | None) -> OidcAccountView:
        """Link the account to who is signed in. Raises StepUpRequired, ProofFailed, Conflict (somebody else's)."""
        async with self._database.reading() as session:
            await self._proving.require_fresh(session, who)
        redeemed = await self._trips.redeem(ticket, "link", who, browser)
        claims = redeemed.claims
        async with self._database.writing() as session:
            return await oidc_accounts.link(
                Work(session),
                self._audit,
                who.user_id,
                who.workspace_id,
                claims.issuer,
                claims.subject,
                claims.email,
            )

    async def unlink(self, who: Principal, account_id: str) -> None:
        """Untie an account. Raises StepUpRequired, NotFound, Conflict (the only way in)."""
        async with self._database.writing() as session:
            await self._proving.require_fresh(session, who)
            await oidc_accounts.unlink(Work(session), self._audit, who, account_id)

    async def prove(self, who: Principal, ticket: str, browser: str | None) -> SessionView:
        """Renew a session's proof: its person signed in anew with a linked account. Raises ProofFailed."""
        redeemed = await self._trips.redeem(ticket, "prove", who, browser)
        async with self._database.reading() as session:
            known = await oidc_accounts.of_subject(session, redeemed.claims.issuer, redeemed.claims.subject)
        if known is None or known.user_id != who.user_id:
            message = "This is not an account that you have linked."
            raise ProofFailed(message)
        return await self._proving.prove_elsewhere(who, _proved_since_begun(redeemed))

    async def _find(self, work: Work, entry: OidcEntry, claims: Claims) -> Found:
        known = await oidc_accounts.of_subject(work.session, claims.issuer, claims.subject)
        if known is not None:
            return Found(user_id=known.user_id)
        email = claims.email
        if email is None or not (entry.trust_email and claims.email_verified):
            raise NotSignedIn(_UNKNOWN, reason="not_linked")
        found = await self._by_address(work, entry, claims, email)
        await self._link(work, found, claims)
        return found

    async def _by_address(self, work: Work, entry: OidcEntry, claims: Claims, email: str) -> Found:
        """Find the person with an address that a trusted provider verified; else they are invited, or may join."""
        user = await people.user_of(work.session, email)
        if user is not None:
            return _a_person(user)
        invitation = await oidc_accounts.invitation_for(work.session, email)
        if invitation is not None:
            invitation.accepted_at = now()
            role, home, by = Role(invitation.role), invitation.workspace_id, invitation.invited_by
            return await self._newcomer(work, claims, email, role, home, by)
        if entry.role is None or not await people.has_people(work.session):
            raise NotSignedIn(_UNKNOWN, reason="not_linked")
        return await self._newcomer(work, claims, email, Role(entry.role), None, f"oidc:{entry.name}")

    async def _newcomer(
        self, work: Work, claims: Claims, email: str, role: Role, home: str | None, actor: str
    ) -> Found:
        name = clean_name(" ".join((claims.name or "").split()))[:100] or email.partition("@")[0][:100]
        person = await people.create_person(
            work, self._audit, email=email, name=name, password_hash=None, role=role, workspace_id=home, actor=actor
        )
        return Found(user_id=person.id, workspace_id=person.workspace_id)

    async def _link(self, work: Work, found: Found, claims: Claims) -> None:
        home = found.workspace_id or await _home(work.session, found.user_id)
        await oidc_accounts.link(work, self._audit, found.user_id, home, claims.issuer, claims.subject, claims.email)


async def _home(session: AsyncSession, user_id: str) -> str:
    member = await people.first_membership(session, user_id, None)
    if member is None:
        raise NotSignedIn(_UNKNOWN, reason="not_linked")
    return member.workspace_id


def _a_person(user: User) -> Found:
    if user.kind != "person" or user.disabled_at is not None:
        raise NotSignedIn(_UNKNOWN, reason="not_linked")
    return Found(user_id=user.id)


def _no_later_than_now(at: datetime | None) -> datetime | None:
    """Believe no provider that a proof lies in the future."""
    return min(at, now()) if at else None


def _proved_since_begun(redeemed: Redeemed) -> datetime:
    """Give when the person signed in at the provider, which must have been on this trip."""
    begun = datetime.fromisoformat(redeemed.ceremony.body["begun_at"])
    at = _no_later_than_now(redeemed.claims.auth_time)
    if at is None or at < begun - _SKEW:
        message = "The provider did not ask you to sign in anew, so this proves nothing: use another way."
        raise NotAllowed(message, reason="not_fresh")
    return at
