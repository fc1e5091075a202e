"""What somebody with access to the machine does in the data directory itself, also while the server runs."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cli.serve.private import open_private
from cli.talk.audit import read_heads
from cli.talk.ending import WrongUsage
from cli.talk.screen import Screen
from core.errors import Invalid, NotFound
from core.keys import load_ring
from core.migrations.runner import upgrade
from core.passwords import Password, Passwords
from core.permissions import Role
from core.rooms import LocalRooms
from core.sealing import Sealer
from core.settings import load_settings
from core.store import factors, people, resealing
from core.store.audit import AuditTrail
from core.store.database import Database, open_database
from core.store.work import change
from core.tables.people import Workspace


class FirstIsOwner(WrongUsage):
    """Nobody is here yet, and somebody has to own the workspace."""

    code, title = "first_is_owner", "The first person must be an owner"


_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
_PASSWORD: TypeAdapter[str] = TypeAdapter(Password)


async def add_person(
    screen: Screen, data: Path | None, email: str, role: Role, name: str | None, password: str
) -> None:
    """Create a person; the first one makes the workspace. Raises Conflict, FirstIsOwner, Invalid."""
    _check(email, password)
    password_hash = await Passwords().hash(password)
    async with _opened(data) as (database, audit):
        async with change(database, LocalRooms()) as work:
            await _check_first(work.session, role)
            shown = name or email.partition("@")[0]
            person = await people.create_person(
                work, audit, email=email, name=shown, password_hash=password_hash, role=role
            )
    if screen.json:
        screen.data(person.model_dump(mode="json"))
    else:
        screen.show(f"Added {person.email} as {person.role}.")


async def reset_factors(screen: Screen, data: Path | None, email: str) -> None:
    """Forget what a person proves themselves with besides the password, and end their sign-ins. Raises NotFound."""
    async with _opened(data) as (database, audit), change(database, LocalRooms()) as work:
        user = await people.user_of(work.session, email)
        if user is None:
            message = "Nobody here has this e-mail address."
            raise NotFound(message)
        await factors.reset(work, audit, user.id, people.CONSOLE)
    if screen.json:
        screen.data({"user_id": user.id})
    else:
        screen.show(f"{user.email} signs in by the password alone now; all their sign-ins have ended.")


async def _check_first(session: AsyncSession, role: Role) -> None:
    """Raise FirstIsOwner when this would make a workspace that nobody owns."""
    await people.lock_people(session)
    if role is not Role.OWNER and not await people.has_people(session):
        message = "The first person must be an owner: --role owner."
        raise FirstIsOwner(message)


def _check(email: str, password: str) -> None:
    """Raise Invalid for what sign-in would never accept; what was typed is not repeated."""
    if not _EMAIL.fullmatch(email):
        message = "This is no e-mail address."
        raise Invalid(message)
    try:
        _PASSWORD.validate_python(password)
    except ValidationError as error:
        message = f"The password: {error.errors(include_input=False)[0]['msg']}."
        raise Invalid(message) from None


async def verify_audit(screen: Screen, data: Path | None, against: Path | None = None) -> int:
    """Check the chain of every workspace, also against published heads; returns 1 when one is broken."""
    heads = read_heads(against) if against else []
    async with _opened(data) as (database, audit), database.reading() as session:
        workspaces = (await session.execute(select(Workspace.id, Workspace.name))).all()
        verdicts = [(name, await audit.verify(session, workspace_id, heads)) for workspace_id, name in workspaces]
    if screen.json:
        screen.data([{"workspace": name} | verdict.model_dump() for name, verdict in verdicts])
    for name, verdict in verdicts if not screen.json else ():
        fault = f"broken at row {verdict.broken_at}: {verdict.reason}"
        screen.show(f"{name}: {verdict.rows} rows, {'intact' if verdict.intact else fault}")
    return 0 if all(verdict.intact for _, verdict in verdicts) else 1


async def reseal(screen: Screen, data: Path | None) -> None:
    """Seal every stored secret with the newest key. Raises Unsealable, UnknownKey: then nothing is changed."""
    ring = load_ring(load_settings(data_dir=data).data_dir)
    async with _opened(data) as (database, audit), change(database, LocalRooms()) as work:
        count = await resealing.reseal(work, audit, Sealer(ring), people.CONSOLE)
    newest = ring.active("sealing")[0]
    if screen.json:
        screen.data({"resealed": count, "key_id": newest})
    else:
        screen.show(f"{count} secrets were sealed anew; all are sealed with {newest} now.")


@asynccontextmanager
async def _opened(data: Path | None) -> AsyncIterator[tuple[Database, AuditTrail]]:
    settings = load_settings(data_dir=data)
    open_private(settings.data_dir)
    await asyncio.to_thread(upgrade, settings.database_url)
    async with open_database(settings.database_url) as database:
        yield database, AuditTrail(load_ring(settings.data_dir))
