"""Invitations: the only way in after the owner."""

from fastapi import APIRouter, Request, status
from pydantic import Field

from api.rest.auth import Email, Secret
from api.rest.context import Here, PathId, Proved, Who, address_of
from api.rest.pages import Cursor, Limit, Page
from api.signing import SignedIn
from core.passwords import Password
from core.permissions import Role
from core.profile import PersonName
from core.store import invitations
from core.store.work import change
from core.values import Value
from core.views import InvitationView

router = APIRouter(prefix="/invitations", tags=["people"])


class Invite(Value):
    """Whom to invite, as what."""

    email: Email = Field(examples=["ben@example.com"])
    role: Role = Field(Role.MEMBER, examples=["member"])


class Invited(Value):
    """The invitation and its token, which nobody can see again."""

    invitation: InvitationView
    token: str


class Accept(Value):
    """The token, and who comes; somebody with an account on this server sends its password."""

    token: Secret
    name: PersonName = Field(examples=["Ben"])
    password: Password = Field(examples=["a sentence only Ben knows"])


@router.get("")
async def list_invitations(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[InvitationView]:
    """List the invitations, newest first; for owners and admins."""
    async with here.database.reading() as session:
        items, following, total = await invitations.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("", status_code=status.HTTP_201_CREATED)
async def invite(here: Here, who: Proved, body: Invite) -> Invited:
    """Invite somebody; owners and admins may."""
    await here.limits.check("invitation", who.user_id)
    async with change(here.database, here.rooms) as work:
        view, token = await invitations.create(work, here.audit, who, body.email, body.role)
    return Invited(invitation=view, token=token)


@router.post("/accept", status_code=status.HTTP_201_CREATED)
async def accept(here: Here, body: Accept, request: Request) -> SignedIn:
    """Join the workspace; signs in. The token works once."""
    return await here.signing.accept(body.token, body.name, body.password, address_of(request))


@router.post("/{invitation_id}/revoke")
async def revoke(here: Here, who: Who, invitation_id: PathId) -> InvitationView:
    """Withdraw an invitation."""
    async with change(here.database, here.rooms) as work:
        return await invitations.revoke(work, here.audit, who, invitation_id)
