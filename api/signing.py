"""Sign-in and what leads to it: checks within limits, one answer to every wrong guess, tokens at the end."""

from collections import OrderedDict
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.limits import Limits
from api.tokens import Tokens
from core.clock import now
from core.errors import Conflict, NotAllowed, NotSignedIn, SecondFactorRequired, Unavailable
from core.keys import KeyRing, is_setup_code
from core.passwords import Passwords
from core.permissions import Principal, Role
from core.store import ceremonies, factors, invitations, people, sessions
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.sessions import Opened, Reused
from core.store.work import Work
from core.tables.people import Membership, User
from core.values import Value
from core.views import PersonView

_KNOWN_PLACES = 10_000
_LABEL_LENGTH = 200
_WRONG = "The e-mail address or the password is wrong."


class SignedIn(Value):
    """Tokens: `access_token` goes into `Authorization: Bearer`; `refresh_token` gets the next ones, once."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int
    user: PersonView


class Signing:
    """Lets people in. One for each api process, since it remembers from where accounts signed in."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        audit: AuditTrail,
        tokens: Tokens,
        passwords: Passwords,
        limits: Limits,
        refresh_days: int,
    ) -> None:
        """Take what it checks with and writes to."""
        self._database = database
        self._ring = ring
        self._audit = audit
        self._tokens = tokens
        self._passwords = passwords
        self._limits = limits
        self._life = timedelta(days=refresh_days)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def sign_in(self, email: str, password: str, workspace_id: str | None, address: str, label: str) -> SignedIn:
        """Begin a session. Raises NotSignedIn, the same for all that may be wrong; SecondFactorRequired; TooMany."""
        async with self._database.reading() as session:
            user = await people.user_of(session, email)
        found = await self.check_password(user, people.clean_email(email), password, address)
        return await self.enter(found.id, workspace_id, label)

    async def enter(
        self,
        user_id: str,
        workspace_id: str | None,
        label: str,
        proved_by: str | None = "password",
        proved_at: datetime | None = None,
    ) -> SignedIn:
        """Begin a session of somebody whose first proof held. `proved_by`, `proved_at`: as in core.store.sessions.

        Raises SecondFactorRequired when they have more to prove themselves with; NotSignedIn when they are shut out.
        """
        async with self._database.writing() as session:
            member = await self._member(session, user_id, workspace_id)
            has = await factors.of_user(session, user_id)
            if not has.second:
                return await self._open(Work(session), member, label, proved_by, proved_at)
            ceremony = await ceremonies.begin(
                session,
                ceremonies.SECOND_FACTOR,
                user_id=user_id,
                workspace_id=member.workspace_id,
                label=label[:_LABEL_LENGTH],
            )
        message = "One more step: use your authenticator app or your passkey."
        raise SecondFactorRequired(message, ceremony_id=ceremony, methods=has.second)

    async def enter_proved(
        self, work: Work, user_id: str, workspace_id: str | None, label: str, proved_by: str
    ) -> SignedIn:
        """Begin a session of somebody who has given all that is asked for. Raises NotSignedIn."""
        member = await self._member(work.session, user_id, workspace_id)
        return await self._open(work, member, label, proved_by)

    async def _member(self, session: AsyncSession, user_id: str, workspace_id: str | None) -> Membership:
        user = await session.get(User, user_id)
        member = await people.first_membership(session, user_id, workspace_id)
        if user is None or user.kind != "person" or user.disabled_at is not None or member is None:
            raise NotSignedIn(_WRONG)
        return member

    async def refresh(self, refresh_token: str, address: str) -> SignedIn:
        """Go on with a session. Raises NotSignedIn; a token used twice has ended its session by then."""
        await self._limits.check("address", address)
        async with self._database.writing() as session:
            opened = await sessions.rotate(session, refresh_token, self._life)
            if isinstance(opened, Reused):
                work = Work(session)
                await self._audit.record(work, opened.workspace_id, opened.user_id, "session.stolen", opened.session_id)
        if not isinstance(opened, Opened):
            message = "This session is over: sign in again."
            raise NotSignedIn(message)
        self._limits.give_back("address", address)
        return await self._answer(opened)

    async def sign_out(self, who: Principal | None, refresh_token: str | None) -> None:
        """End the session of whichever token there is. Raises NotSignedIn when there is none."""
        if who is None and refresh_token is None:
            message = "Whose session is to end? Send the access token, or the refresh token."
            raise NotSignedIn(message)
        async with self._database.writing() as session:
            if who is not None:
                await sessions.revoke(session, who.session_id)
            if refresh_token is not None:
                await sessions.revoke_by_token(session, refresh_token)

    async def needs_owner(self) -> bool:
        """Whether nobody is here yet."""
        async with self._database.reading() as session:
            return not await people.has_people(session)

    async def make_owner(
        self, code: str, address: str, *, email: str, name: str, password: str, workspace: str
    ) -> SignedIn:
        """Make the first person and the workspace. Raises Conflict (there is an owner), NotAllowed (wrong code)."""
        if not await self.needs_owner():
            message = "This server has an owner already: ask them for an invitation."
            raise Conflict(message)
        await self._limits.check("address", address)
        if not is_setup_code(self._ring, code):
            message = "This is not the code that the server printed when it started."
            raise NotAllowed(message)
        self._limits.give_back("address", address)
        hashed = await self._passwords.hash(password)
        async with self._database.writing() as session:
            work = Work(session)
            person = await people.add_owner(
                work, self._audit, email=email, name=name, password_hash=hashed, workspace=workspace
            )
            return await self._open_for(work, person)

    async def accept(self, token: str, name: str, password: str, address: str) -> SignedIn:
        """Join by an invitation; who has an account already proves it as at sign-in, and has joined by then.

        Raises NotFound, NotSignedIn, SecondFactorRequired.
        """
        await self._limits.check("address", address)
        async with self._database.reading() as session:
            invitation = await invitations.find(session, token)
            user = await people.user_of(session, invitation.email)
        self._limits.give_back("address", address)
        hashed = ""
        if user is None:
            hashed = await self._passwords.hash(password)
        else:
            await self.check_password(user, user.email, password, address)
        async with self._database.writing() as session:
            person = await self._join(Work(session), token, user, name, hashed)
        return await self.enter(person.id, person.workspace_id, "")

    async def _join(self, work: Work, token: str, user: User | None, name: str, hashed: str) -> PersonView:
        invitation = await invitations.find(work.session, token, lock=True)
        invitation.accepted_at = now()
        role, home = Role(invitation.role), invitation.workspace_id
        if user is None:
            return await people.create_person(
                work,
                self._audit,
                email=invitation.email,
                name=name,
                password_hash=hashed,
                role=role,
                workspace_id=home,
                actor=invitation.invited_by,
            )
        return await people.join(work, self._audit, user, home, role, actor=invitation.invited_by)

    async def check_password(self, user: User | None, email: str, password: str, address: str) -> User:
        """Compare within limits, which only wrong guesses use up. Raises NotSignedIn, TooMany, Unavailable."""
        buckets = [("address", address), self._account_bucket(email, address)]
        for kind, key in buckets:
            await self._limits.check(kind, key)
        try:
            right = await self._passwords.verify(user.password_hash if user else None, password)
        except Unavailable:
            self._give_back(buckets)
            raise
        if user is None or not right or user.disabled_at is not None:
            raise NotSignedIn(_WRONG)
        self._give_back(buckets)
        self._remember(email, address)
        return user

    def _account_bucket(self, email: str, address: str) -> tuple[str, str]:
        """Give places from which the account signed in a bucket of their own: guessing elsewhere locks nobody out."""
        if (email, address) in self._known:
            return "known", f"{email} {address}"
        return "account", email

    def _give_back(self, buckets: list[tuple[str, str]]) -> None:
        for kind, key in buckets:
            self._limits.give_back(kind, key)

    def _remember(self, email: str, address: str) -> None:
        self._known[email, address] = None
        self._known.move_to_end((email, address))
        if len(self._known) > _KNOWN_PLACES:
            self._known.popitem(last=False)

    async def _open_for(self, work: Work, person: PersonView) -> SignedIn:
        member = await people.first_membership(work.session, person.id, person.workspace_id)
        if member is None:
            raise NotSignedIn(_WRONG)
        return await self._open(work, member, "")

    async def _open(
        self,
        work: Work,
        member: Membership,
        label: str,
        proved_by: str | None = "password",
        proved_at: datetime | None = None,
    ) -> SignedIn:
        opened = await sessions.begin(work.session, member, self._life, label[:_LABEL_LENGTH], proved_by, proved_at)
        signed_in = await self._answer_in(work.session, opened)
        await self._audit.record(
            work, member.workspace_id, member.user_id, "session.began", opened.session_id, by=proved_by
        )
        return signed_in

    async def _answer(self, opened: Opened) -> SignedIn:
        async with self._database.reading() as session:
            return await self._answer_in(session, opened)

    async def _answer_in(self, session: AsyncSession, opened: Opened) -> SignedIn:
        who = await people.principal_of(session, opened.session_id, opened.user_id, opened.workspace_id)
        return SignedIn(
            access_token=self._tokens.access(opened.user_id, opened.session_id, opened.workspace_id),
            refresh_token=opened.refresh_token,
            expires_in=self._tokens.seconds,
            user=await people.one(session, who, who.user_id),
        )
