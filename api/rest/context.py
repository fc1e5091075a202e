"""What the endpoints of all nouns share: the context they work with, who is asking, ids in paths."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator

from api.asks import Asks
from api.channels.door import ChannelDoor
from api.checking import Models
from api.history import Histories
from api.intake import Intake
from api.limits import Limits
from api.oidc.people import OidcPeople
from api.oidc.trips import Trips
from api.probes import Probes
from api.proving.enrolling import Enrolling
from api.proving.proving import Proving
from api.scopes import check_request
from api.searching import Searching
from api.signing import Signing
from api.tokens import Tokens
from connectors.registry import Registry
from core.errors import NotFound, NotSignedIn
from core.permissions import Door, Principal
from core.rooms import Rooms
from core.sealing import Sealer
from core.settings import Settings
from core.store.audit import AuditTrail
from core.store.database import Database
from workflows.memory_handles import MemoryWorkflows

_ID = re.compile(r"[a-z]{2,4}_[0-9a-z]{26}")


@dataclass(frozen=True)
class Context:
    """Everything that an endpoint may call; made once by `api.app`."""

    settings: Settings
    database: Database
    rooms: Rooms
    audit: AuditTrail
    tokens: Tokens
    signing: Signing
    limits: Limits
    intake: Intake
    asks: Asks
    sealer: Sealer
    histories: Histories
    registry: Registry
    probes: Probes
    memory: MemoryWorkflows
    models: Models
    searching: Searching
    channels: ChannelDoor
    proving: Proving
    enrolling: Enrolling
    trips: Trips
    oidc: OidcPeople


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Here = Annotated[Context, Depends(_context)]
"""The context."""

_bearer = HTTPBearer(auto_error=False, description="The access token of a sign-in, or a token for programs.")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def _perhaps(here: Here, bearer: Bearer, request: Request) -> Principal | None:
    if bearer is not None:
        who = await here.tokens.authenticate(here.database, bearer.credentials)
        check_request(who, request.method, request.url.path)
        return who
    if "authorization" in request.headers:
        message = "Sign in with `Authorization: Bearer TOKEN`."
        raise NotSignedIn(message)
    return None


PerhapsWho = Annotated[Principal | None, Depends(_perhaps)]
"""Who is asking, if anybody says; a bad token is an error all the same."""


def _signed_in(who: PerhapsWho) -> Principal:
    if who is None:
        message = "Sign in first."
        raise NotSignedIn(message)
    return who


Who = Annotated[Principal, Depends(_signed_in)]
"""Who is asking."""


async def _proved(here: Here, who: Who) -> Principal:
    if not who.is_program:
        async with here.database.reading() as session:
            await here.proving.require_fresh(session, who)
    return who


Proved = Annotated[Principal, Depends(_proved)]
"""Who is asking, a person who proved a while ago at most who they are: for what others' consent will rest on."""


def _door(
    who: PerhapsWho,
    x_assent_door: Annotated[Door, Header(description="Which client of a person this is.")] = Door.REST,
) -> Door:
    return Door.REST if who is not None and who.is_program else x_assent_door


Through = Annotated[Door, Depends(_door)]
"""The door they came through: a person's client says which it is, a program is never one of those."""


def _id_or_nothing(text: str) -> str:
    if not _ID.fullmatch(text):
        message = "There is no such thing."
        raise NotFound(message)
    return text


PathId = Annotated[str, AfterValidator(_id_or_nothing)]
"""An id in a path; what cannot be one is not found, as what is not there."""


def address_of(request: Request) -> str:
    """Give the address of who is asking, for limits."""
    return request.client.host if request.client else "unknown"
