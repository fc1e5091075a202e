"""What a prompt says when it goes out, or out again: the approval as it stands, and buttons only its person can use."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core.clock import now
from core.consent import Assurance
from core.keys import KeyRing
from core.outgoing import Link, OutMessage, Plain
from core.quiet import quiet_until
from core.rooms import Rooms
from core.store import approvals, deliveries, grants, prompting
from core.store.database import Database
from core.store.work import change
from core.tables.connect import Delivery
from core.tables.consent import Approval
from core.tables.people import User
from core.values import ApprovalState
from core.views import ApprovalView
from workers.delivering.batch import fitting, write_batch
from workers.delivering.carrier import NotWanted, NotYet
from workers.delivering.prompt import Reader, can_decide, write_prompt, write_reminder

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Prompts:
    """Writes prompts and reminders. `base_url` is where people reach the web client; `per_hour` the cap for each."""

    database: Database
    rooms: Rooms
    ring: KeyRing
    base_url: str | None
    per_hour: int

    async def compose(self, row: Delivery, assurance: str, most: int = 1) -> OutMessage:
        """Write it as it stands now, at most `most` like ones together; store its token. Raises NotWanted, NotYet."""
        async with self.database.reading() as session:
            approval = await session.get(Approval, row.approval_id)
            user = await session.get(User, row.user_id)
            if approval is None or user is None:
                reason = "what it was about is gone"
                raise NotWanted(reason)
            view = await approvals.view_of(session, approval)
            asked = await prompting.is_asked(session, row)
        await self._check(row, view, user, asked=asked)
        reader = Reader(
            user_id=user.id,
            zone=user.time_zone,
            assurance=Assurance(assurance),
            asked=asked,
            link=self.link_to(view.id),
            may_remember=grants.may_remember(approval) and _in_own_right(view, user.id),
        )
        together = await self._together(row, view, most)
        if len(together) > 1:
            inbox = f"{self.base_url}/#/approvals" if self.base_url else None
            return await self._compose_batch(row, together, reader.model_copy(update={"link": inbox}))
        armed = await self._with_token(row, can_decide(view, reader), {"digest": view.digest})
        return write_prompt(view, reader.model_copy(update={"token": armed}))

    async def _together(self, row: Delivery, view: ApprovalView, most: int) -> list[ApprovalView]:
        """Give the requests that this prompt shows. Raises NotWanted for one that another prompt shows."""
        if most < 2 or view.batch is None or row.body.get("at_once"):  # noqa: PLR2004  # one alone is no batch
            return [view]
        async with self.database.reading() as session:
            pairs = await prompting.batch_of(session, row, view.batch)
            views = [await approvals.view_of(session, approval) for _, approval in pairs]
        leader = next((one.id for one, _ in pairs if "folded" not in one.body), row.id)
        shown = [
            number
            for number, (one, _) in enumerate(pairs)
            if one.id in {leader, row.id} or one.state == deliveries.WAITING or one.body.get("folded") == leader
        ]
        shown = shown[: fitting([views[number] for number in shown], most, linked=self.base_url is not None)]
        ids = [pairs[number][0].id for number in shown]
        if len(ids) < 2 or row.id not in ids or (row.id != leader and row.state == deliveries.SENT):  # noqa: PLR2004
            return [view]
        if row.id != leader:
            async with change(self.database, self.rooms) as work:
                await prompting.fold(work, row, leader)
            reason = "shown in one message with others of its kind"
            raise NotWanted(reason)
        return [views[number] for number in shown]

    async def _compose_batch(self, row: Delivery, views: Sequence[ApprovalView], reader: Reader) -> OutMessage:
        """Write several; another list, or any other arguments, make the buttons of before void."""
        shown = {"digest": None, "batch": [[view.id, view.digest] for view in views]}
        wanted = any(can_decide(view, reader) for view in views)
        return write_batch(views, reader.model_copy(update={"token": await self._with_token(row, wanted, shown)}))

    def link_to(self, approval_id: str) -> str | None:
        """Give the address that shows a request; it decides nothing, and what follows `#` never leaves the browser."""
        return f"{self.base_url}/#/approvals/{approval_id}" if self.base_url else None

    async def _check(self, row: Delivery, view: ApprovalView, user: User, *, asked: bool) -> None:
        """See whether it is to go out for the first time, now."""
        if row.state != deliveries.WAITING:
            return
        if not ApprovalState(view.state).is_open or not asked:
            reason = "closed, or asked of others, before it was sent"
            raise NotWanted(reason)
        if row.body.get("at_once"):
            return
        until = quiet_until(user.quiet, user.time_zone, now())
        if until is not None and until < view.expires_at:
            raise NotYet(until, "quiet hours")
        async with self.database.reading() as session:
            count = await deliveries.prompted_since(session, user.id, now() - HOUR, but=view.id)
        if count >= self.per_hour:
            await self._say_there_are_more(row)
            reason = f"more than {self.per_hour} prompts in an hour: it is in the inbox"
            raise NotWanted(reason)

    async def _say_there_are_more(self, row: Delivery) -> None:
        links = (Link(text="Open the inbox", url=f"{self.base_url}/#/approvals"),) if self.base_url else ()
        text = "More requests wait for you than are sent here in an hour: they are in your inbox."
        message = OutMessage(parts=(Plain(text=text), *links), silent=True)
        hour = f"{now():%Y%m%d%H}"
        async with change(self.database, self.rooms) as work:
            await prompting.notify(work, row.workspace_id, [row.user_id or ""], f"more:{row.user_id}:{hour}", message)

    async def _with_token(self, row: Delivery, wanted: bool, shown: dict[str, Any]) -> str | None:
        """Give the token of the buttons, if any are wanted: anew when something else is shown, and the old is void."""
        kept = {"at_once": True} if row.body.get("at_once") else {}
        if not wanted:
            await self._arm(row, None, shown | kept)
            return None
        body = row.body
        if "nonce" not in body or any(body.get(name) != shown.get(name) for name in ("digest", "batch")):
            key_id, _ = self.ring.active("buttons")
            body = {**shown, **kept, "nonce": secrets.token_hex(16), "key_id": key_id}
        token = self._token(row.id, body["nonce"], body["key_id"])
        await self._arm(row, token, body)
        return token

    async def has_same_buttons(self, row: Delivery) -> bool:
        """Whether the buttons that were armed last are those of `row`, as it was claimed."""
        async with self.database.reading() as session:
            stored = await session.get(Delivery, row.id, populate_existing=True)
        return stored is not None and stored.body.get("nonce") == row.body.get("nonce") is not None

    async def _arm(self, row: Delivery, token: str | None, body: dict[str, Any]) -> None:
        async with self.database.writing() as session:
            await deliveries.arm(session, row.id, token, body)

    def _token(self, delivery_id: str, nonce: str, key_id: str) -> str:
        """Make the token: random, and the same again when a crash makes the same prompt go out twice."""
        key = self.ring.get("buttons", key_id)
        mac = hmac.digest(key, f"{delivery_id}\x1f{nonce}".encode(), "sha256")
        return base64.urlsafe_b64encode(mac[:16]).decode().rstrip("=")

    async def remind(self, row: Delivery) -> OutMessage:
        """Write a reminder of a request that still waits. Raises NotWanted, NotYet."""
        async with self.database.reading() as session:
            approval = await session.get(Approval, row.approval_id)
            user = await session.get(User, row.user_id)
            if approval is None or user is None or not ApprovalState(approval.state).is_open:
                reason = "closed before it was reminded of"
                raise NotWanted(reason)
            if not await prompting.is_missed(session, row):
                reason = "answered, or asked of others, before it was reminded of"
                raise NotWanted(reason)
            view = await approvals.view_of(session, approval)
        until = quiet_until(user.quiet, user.time_zone, now())
        if until is not None and until < view.expires_at:
            raise NotYet(until, "quiet hours")
        return write_reminder([view], self.link_to(view.id), user.time_zone)


def _in_own_right(view: ApprovalView, user_id: str) -> bool:
    return any(one.user_id == user_id and one.in_place_of is None for one in view.deciders)
