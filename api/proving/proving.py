"""Proofs given: for a session that exists, as the second step of a sign-in, and by a passkey alone."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.limits import Limits
from api.proving import codes, passkeys
from api.proving.place import Place
from api.proving.values import ByCode, ByPasskey, ByPassword, PasskeyOptions
from api.signing import SignedIn, Signing
from core.consent import Assurance
from core.errors import NotAllowed, NotSignedIn, ProofFailed, SecondFactorRequired, StepUpRequired
from core.keys import KeyRing
from core.permissions import Principal
from core.sealing import Sealer
from core.store import ceremonies, factors, sessions
from core.store import passkeys as stored
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import Work
from core.tables.identity import Ceremony
from core.tables.people import User
from core.views import SessionView

_WRONG_CODE = "This code does not hold: it is wrong, it is over, or it was used already."
_WRONG_PASSWORD = "The password is wrong."  # noqa: S105
_NO_PASSKEY = "The passkey's answer does not hold: try again."
_STEP_UP = "This needs a fresh proof of who you are: prove it, then try again."


class Proving:
    """Takes proofs. Which of them are enough is said here and in `core.store.sessions.assurance_of` only."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        audit: AuditTrail,
        signing: Signing,
        limits: Limits,
        fresh_seconds: int,
    ) -> None:
        """Take what it checks with and writes to; `fresh_seconds`: how long a proof counts."""
        self._database = database
        self._sealer = Sealer(ring)
        self._audit = audit
        self._signing = signing
        self._limits = limits
        self._fresh = timedelta(seconds=fresh_seconds)

    async def view(self, who: Principal) -> SessionView:
        """Show a sign-in to its person."""
        async with self._database.reading() as session:
            return await sessions.view(session, who, self._fresh)

    async def require_fresh(self, session: AsyncSession, who: Principal) -> None:
        """Raise StepUpRequired unless the person proved a while ago at most who they are."""
        if await sessions.assurance_of(session, who, self._fresh) is not Assurance.L3:
            has = await factors.of_user(session, who.user_id)
            raise StepUpRequired(_STEP_UP, methods=has.second or ("password",))

    async def prove(self, who: Principal, proof: ByPassword | ByCode | ByPasskey, address: str) -> SessionView:
        """Renew the proof of a session. Raises ProofFailed, SecondFactorRequired, TooMany, NotAllowed (a program)."""
        _check_person(who)
        match proof:
            case ByPassword():
                await self._by_password(who, proof.password, address)
            case ByCode():
                await self._by_code(who, proof.code)
            case ByPasskey():
                await self._by_passkey(who, proof)
        return await self.view(who)

    async def prove_elsewhere(self, who: Principal, at: datetime) -> SessionView:
        """Renew the proof of a session by what a provider said happened at that time. Raises SecondFactorRequired."""
        _check_person(who)
        async with self._database.writing() as session:
            await self._check_one_is_enough(session, who)
            await sessions.prove(Work(session), self._audit, who, "oidc", at)
        return await self.view(who)

    async def second_factor(self, ceremony_id: str, proof: ByCode | ByPasskey) -> SignedIn:
        """End a sign-in that asked for more. Raises ProofFailed, TooMany."""
        if isinstance(proof, ByPasskey):
            return await self._second_by_passkey(ceremony_id, proof)
        async with self._database.writing() as session:
            row = await ceremonies.look(session, ceremonies.SECOND_FACTOR, ceremony_id)
            by = await codes.check(session, self._sealer, str(row.user_id), proof.code)
            if by is not None:
                await ceremonies.take(session, ceremonies.SECOND_FACTOR, ceremony_id)
                return await self._go_on(Work(session), row, by)
        raise ProofFailed(_WRONG_CODE)

    async def options(self, place: Place, who: Principal | None, ceremony_id: str | None) -> PasskeyOptions:
        """Begin a proof by passkey: of a session, of a sign-in that asked for more, else of whoever has one."""
        async with self._database.writing() as session:
            user_id = who.user_id if who else None
            if ceremony_id is not None:
                user_id = (await ceremonies.look(session, ceremonies.SECOND_FACTOR, ceremony_id)).user_id
            known = await stored.of_user(session, user_id) if user_id else []
            challenge, options = passkeys.request(place, known)
            secret = await ceremonies.begin(
                session,
                ceremonies.ASSERTION,
                user_id=user_id,
                session_id=who.session_id if who and ceremony_id is None else None,
                challenge=challenge,
                rp_id=place.rp_id,
                origin=place.origin,
            )
        return PasskeyOptions(ceremony_id=secret, options=options)

    async def sign_in(self, proof: ByPasskey, workspace_id: str | None, address: str, label: str) -> SignedIn:
        """Sign in by a passkey alone, which verified its person. Raises ProofFailed, NotSignedIn, TooMany."""
        await self._limits.check("address", address)
        ceremony = await self._burn(proof, user_id=None, session_id=None)
        async with self._database.writing() as session:
            user_id = await self._verify(session, ceremony, proof)
            signed_in = await self._signing.enter_proved(Work(session), user_id, workspace_id, label, "passkey")
        self._limits.give_back("address", address)
        return signed_in

    async def _by_password(self, who: Principal, password: str, address: str) -> None:
        async with self._database.reading() as session:
            await self._check_one_is_enough(session, who)
            user = await session.get_one(User, who.user_id)
        try:
            await self._signing.check_password(user, user.email, password, address)
        except NotSignedIn as error:
            raise ProofFailed(_WRONG_PASSWORD) from error
        async with self._database.writing() as session:
            await sessions.prove(Work(session), self._audit, who, "password")

    async def _by_code(self, who: Principal, code: str) -> None:
        async with self._database.writing() as session:
            by = await codes.check(session, self._sealer, who.user_id, code)
            if by is not None:
                await sessions.prove(Work(session), self._audit, who, by)
        if by is None:
            raise ProofFailed(_WRONG_CODE)

    async def _by_passkey(self, who: Principal, proof: ByPasskey) -> None:
        ceremony = await self._burn(proof, user_id=who.user_id, session_id=who.session_id)
        async with self._database.writing() as session:
            await self._verify(session, ceremony, proof)
            await sessions.prove(Work(session), self._audit, who, "passkey")

    async def _second_by_passkey(self, ceremony_id: str, proof: ByPasskey) -> SignedIn:
        async with self._database.writing() as session:
            begun = await ceremonies.look(session, ceremonies.SECOND_FACTOR, ceremony_id)
        answered = await self._burn(proof, user_id=begun.user_id, session_id=None)
        async with self._database.writing() as session:
            await self._verify(session, answered, proof)
            row = await ceremonies.take(session, ceremonies.SECOND_FACTOR, ceremony_id)
            return await self._go_on(Work(session), row, "passkey")

    async def _burn(self, proof: ByPasskey, *, user_id: str | None, session_id: str | None) -> Ceremony:
        """Use the challenge up, whatever the answer to it is worth. Raises ProofFailed, also when it was another's."""
        async with self._database.writing() as session:
            row = await ceremonies.take(session, ceremonies.ASSERTION, proof.ceremony_id)
        if (row.user_id, row.session_id) != (user_id, session_id):
            raise ProofFailed(_NO_PASSKEY)
        return row

    async def _verify(self, session: AsyncSession, ceremony: Ceremony, proof: ByPasskey) -> str:
        """Check a passkey's answer; gives whose it is. Raises ProofFailed."""
        passkey = await stored.of_credential(session, passkeys.credential_id_of(proof.credential))
        if passkey is None or (ceremony.user_id is not None and passkey.user_id != ceremony.user_id):
            raise ProofFailed(_NO_PASSKEY)
        await stored.note_used(session, passkey, passkeys.proved(ceremony, passkey, proof.credential))
        return passkey.user_id

    async def _go_on(self, work: Work, row: Ceremony, by: str) -> SignedIn:
        body = row.body
        return await self._signing.enter_proved(work, str(row.user_id), body["workspace_id"], body["label"], by)

    async def _check_one_is_enough(self, session: AsyncSession, who: Principal) -> None:
        has = await factors.of_user(session, who.user_id)
        if has.second:
            message = "Your password alone is not enough: use your authenticator app or your passkey."
            raise SecondFactorRequired(message, methods=has.second)


def _check_person(who: Principal) -> None:
    if who.is_program:
        message = "A program's token cannot prove who a person is: sign in yourself."
        raise NotAllowed(message)
