"""People with passwords at the doors, and the steps of signing in."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pyotp

from core.clock import now
from core.ids import new_id
from core.passwords import Passwords
from core.permissions import Role
from core.tables.people import Membership, Session, User
from tests.api.rest.house import API, House

PASSWORD = "a sentence only she knows"


@dataclass
class Known:
    """Somebody with a password, signed in."""

    house: House
    http: httpx.AsyncClient
    email: str
    user_id: str
    session_id: str
    secret: str | None = None
    ahead: int = field(default=0)

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.http.request(method, f"{API}{path}", **more)

    async def view(self) -> dict[str, Any]:
        return dict((await self.ask("GET", "/auth/session")).json())

    async def prove(self, method: str, **more: Any) -> httpx.Response:
        return await self.ask("POST", "/auth/prove", json={"method": method} | more)

    async def grow_stale(self, seconds: int = 901) -> None:
        """Let the last proof of this session be so long ago."""
        async with self.house.database.writing() as session:
            row = await session.get_one(Session, self.session_id)
            row.proved_at = now() - timedelta(seconds=seconds)

    def code(self, steps: int = 0) -> str:
        """What the app shows, so many steps ahead of now."""
        assert self.secret is not None
        return pyotp.TOTP(self.secret).at(now(), counter_offset=steps)

    async def add_totp(self) -> list[str]:
        """Take an authenticator app into use; the code of the step before is the one used up."""
        self.secret = (await self.ask("POST", "/auth/totp")).json()["secret"]
        answer = await self.ask("POST", "/auth/totp/confirm", json={"code": self.code(-1)})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["codes"])


async def known(house: House, workspace_id: str, email: str, role: Role = Role.MEMBER) -> Known:
    """Add somebody with a password, and sign them in by it."""
    user = User(
        id=new_id("usr"), email=email, name=email, password_hash=await Passwords().hash(PASSWORD), created_at=now()
    )
    member = Membership(
        id=new_id("mbr"), workspace_id=workspace_id, user_id=user.id, role=role, epoch=new_id("ep"), created_at=now()
    )
    async with house.database.writing() as session:
        session.add(user)
        await session.flush()
        session.add(member)
    answer = await sign_in(await house.http(), email)
    return await signed_in(house, answer.json())


async def signed_in(house: House, tokens: dict[str, Any]) -> Known:
    """Whoever these tokens are of."""
    http = await house.http(tokens["access_token"])
    view = (await http.get(f"{API}/auth/session")).json()
    return Known(house, http, tokens["user"]["email"], tokens["user"]["id"], view["id"])


async def sign_in(http: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await http.post(f"{API}/auth/sign-in", json={"email": email, "password": password})
