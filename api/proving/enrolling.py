"""Second factors made, named and removed: always after a fresh proof, so that a stolen session adds none."""

from api.proving import codes, passkeys
from api.proving.codes import Enrolment
from api.proving.passkeys import Answer
from api.proving.place import Place
from api.proving.proving import Proving
from api.proving.values import PasskeyOptions
from core.errors import Conflict, ProofFailed
from core.keys import KeyRing
from core.permissions import Principal
from core.sealing import Sealer
from core.store import ceremonies, people, sessions, totps
from core.store import passkeys as stored
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import Work
from core.views import PasskeyView


class Enrolling:
    """Changes what a person can prove themselves with."""

    def __init__(self, database: Database, ring: KeyRing, audit: AuditTrail, proving: Proving) -> None:
        """Take what it asks for fresh proofs, and writes to."""
        self._database = database
        self._sealer = Sealer(ring)
        self._audit = audit
        self._proving = proving

    async def add_totp(self, who: Principal) -> Enrolment:
        """Begin with an authenticator app; it counts once a code confirmed it. Raises StepUpRequired, Conflict."""
        async with self._database.writing() as session:
            await self._proving.require_fresh(session, who)
            person = await people.one(session, who, who.user_id)
            made = codes.new_enrolment(person.email)
            await totps.enrol(session, self._sealer, who.user_id, made.secret)
        return made

    async def confirm_totp(self, who: Principal, code: str) -> list[str]:
        """Take the app into use; gives the recovery codes. Raises ProofFailed, StepUpRequired, TooMany."""
        async with self._database.writing() as session:
            await self._proving.require_fresh(session, who)
            given = await codes.confirm(session, self._sealer, who.user_id, code)
            if given is not None:
                work = Work(session)
                await self._audit.record(work, who.workspace_id, who.user_id, "totp.added", who.user_id)
                await sessions.prove(work, self._audit, who, "totp")
        if given is None:
            message = "This code is wrong, or it was used: wait for the next one. Is the app's clock right?"
            raise ProofFailed(message)
        return given

    async def renew_recovery_codes(self, who: Principal) -> list[str]:
        """Give new recovery codes; the old ones are worth nothing. Raises StepUpRequired, Conflict without an app."""
        async with self._database.writing() as session:
            await self._proving.require_fresh(session, who)
            if await totps.secret_of(session, self._sealer, who.user_id, confirmed=True) is None:
                message = "Recovery codes stand in for an authenticator app, and you have none."
                raise Conflict(message)
            given = await codes.renew_recovery_codes(session, who.user_id)
            await self._audit.record(Work(session), who.workspace_id, who.user_id, "recovery.renewed", who.user_id)
        return given

    async def remove_totp(self, who: Principal) -> None:
        """Forget the app and the recovery codes. Raises StepUpRequired, NotFound."""
        async with self._database.writing() as session:
            await self._proving.require_fresh(session, who)
            await totps.remove(session, who.user_id)
            await self._audit.record(Work(session), who.workspace_id, who.user_id, "totp.removed", who.user_id)

    async def passkey_options(self, who: Principal, place: Place) -> PasskeyOptions:
        """Begin to register a passkey. Raises StepUpRequired; Conflict where passkeys do not work."""
        async with self._database.writing() as session:
            await self._proving.require_fresh(session, who)
            person = await people.one(session, who, who.user_id)
            known = await stored.of_user(session, who.user_id)
            challenge, options = passkeys.creation(place, person, known)
            secret = await ceremonies.begin(
                session,
                ceremonies.REGISTRATION,
                user_id=who.user_id,
                session_id=who.session_id,
                challenge=challenge,
                rp_id=place.rp_id,
                origin=place.origin,
            )
        return PasskeyOptions(ceremony_id=secret, options=options)

    async def add_passkey(self, who: Principal, ceremony_id: str, name: str, answer: Answer) -> PasskeyView:
        """Keep the passkey that an authenticator made. Raises ProofFailed, Conflict."""
        async with self._database.writing() as session:
            ceremony = await ceremonies.take(session, ceremonies.REGISTRATION, ceremony_id)
        if (ceremony.user_id, ceremony.session_id) != (who.user_id, who.session_id):
            message = "This registration was begun by somebody else."
            raise ProofFailed(message)
        made = passkeys.created(ceremony, answer)
        async with self._database.writing() as session:
            work = Work(session)
            view = await stored.add(session, who, name, made)
            await self._audit.record(work, who.workspace_id, who.user_id, "passkey.added", view.id)
            await sessions.prove(work, self._audit, who, "passkey")
        return view

    async def rename_passkey(self, who: Principal, passkey_id: str, name: str) -> PasskeyView:
        """Call a passkey otherwise. Raises NotFound."""
        async with self._database.writing() as session:
            return await stored.rename(session, who, passkey_id, name)

    async def remove_passkey(self, who: Principal, passkey_id: str) -> None:
        """Forget a passkey. Raises StepUpRequired, NotFound, Conflict (the only way in)."""
        async with self._database.writing() as session:
            await self._proving.require_fresh(session, who)
            await stored.remove(session, who, passkey_id)
            await self._audit.record(Work(session), who.workspace_id, who.user_id, "passkey.removed", passkey_id)
