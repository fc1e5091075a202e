"""Consent as a service: outside programs ask, wait, take what was approved to run it once, and tell what came of it.

The same policy, people, channels and audit trail as for the assistant's own calls; what runs, runs elsewhere.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints
from sqlalchemy.exc import IntegrityError

from api import outdated, waiting
from api.addresses import check_webhook_url
from connectors.addresses import PrivateHosts
from connectors.outside import MAX_NAME, outside_action
from connectors.registry import Registry
from core.clock import now
from core.digest import canonical
from core.errors import Conflict, Invalid, NotAllowed
from core.ids import ClientId
from core.messages import ApprovalOutcome
from core.permissions import Principal, Role
from core.rooms import Rooms
from core.settings import Settings
from core.store import approvals, asks, consents, deciders, webhooks
from core.store.asks import Asked, NewRequest, Report, Wished
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.standing import holds_still
from core.store.work import Work, change
from core.tables.consent import Approval
from core.text import SafeStr, SpokenStr
from core.values import ApprovalState, Value
from core.views import MAX_COST, ApprovalView, ChangeView, PreviewView
from workflows import approval_rules
from workflows.handles import Workflows

MAX_SECONDS = 14 * 86_400
_MAX_PREVIEW = 16_384
_SETTLE_SECONDS = 5.0
_CLAIMED = "Assent does not run this: what it would do is the word of who asks."
Short = Annotated[SafeStr, StringConstraints(max_length=200)]
Cost = Annotated[SafeStr, StringConstraints(max_length=MAX_COST)]
Long = Annotated[SafeStr, StringConstraints(max_length=4_000)]


class NewChange(Value):
    """One thing that would change."""

    label: Short
    before: Long | None = None
    after: Long | None = None


class NewPreview(Value):
    """What the asker says it would do; shown as the asker's word."""

    summary: Annotated[SafeStr, StringConstraints(max_length=1_000)] = ""
    changes: Annotated[tuple[NewChange, ...], Field(max_length=30)] = ()
    reversible: bool = False
    cost: Cost | None = Field(None, examples=["12 EUR a month"], exclude_if=lambda value: value is None)


class NewAsk(Value):
    """What an outside program wants to do, as people are to see it.

    `schema`: JSON Schema of the arguments; it gives a form to edit them, and `x-secret` masks one. `approvers` can only
    make what policy says stricter. `expires_in` in seconds, never longer than policy gives. `callback_url` is told of
    the end, signed with the secret of `POST /webhooks/callback-secret`. Sent twice under one `client_key`, it is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    title: Annotated[SpokenStr, StringConstraints(max_length=200)] = Field(examples=["Deploy 4.2?"])
    action: Annotated[SafeStr, StringConstraints(max_length=MAX_NAME)] = Field(examples=["deploy.production"])
    arguments: dict[str, Any] = Field(default_factory=dict, examples=[{"version": "4.2"}])
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    risk: Annotated[SafeStr, StringConstraints(max_length=40)] = Field("write", examples=["destructive"])
    effect: Annotated[SafeStr, StringConstraints(max_length=40)] | None = None
    reason: Long | None = None
    preview: NewPreview = NewPreview()
    approvers: Wished = Wished()
    expires_in: Annotated[float, Field(ge=1, le=MAX_SECONDS, allow_inf_nan=False)] | None = None
    callback_url: Annotated[SafeStr, StringConstraints(max_length=2_000)] | None = None
    client_key: ClientId | None = None


class Taken(Value):
    """What was approved, for whoever runs it now: exactly these arguments, secrets and all."""

    approval: ApprovalView
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Asks:
    """Takes in what outside programs ask. One for each api process."""

    database: Database
    rooms: Rooms
    workflows: Workflows
    audit: AuditTrail
    registry: Registry
    settings: Settings

    async def ask(self, who: Principal, new: NewAsk) -> tuple[ApprovalView, bool]:
        """Keep a request; also tells whether it is new. Raises Invalid, NotAllowed, Conflict, TooMany."""
        if who.role is Role.VIEWER:
            message = "Viewers only look: they ask for nothing."
            raise NotAllowed(message)
        request = self._checked(who, new)
        try:
            return await self._add(who, request)
        except IntegrityError:  # the same key came in another process at the same time: it is there now
            return await self._add(who, request)

    async def _add(self, who: Principal, request: NewRequest) -> tuple[ApprovalView, bool]:
        async with change(self.database, self.rooms) as work:
            if request.callback_url is not None:
                await _check_secret(work, who)
            return await asks.add(work, self.audit, who, request, self.settings.pending_asks)

    def _checked(self, who: Principal, new: NewAsk) -> NewRequest:
        """Check all that was sent against what can be asked; of a connector's action its manifest counts."""
        action = outside_action(self.registry.of(who.workspace_id), new.action, new.risk, new.effect, new.schema_)
        arguments = action.check(new.arguments)
        if new.callback_url is not None:
            check_webhook_url(new.callback_url, PrivateHosts.parse(self.settings.webhook_hosts))
        expires = self.settings.approval_expiry_seconds
        asked = Asked(
            fingerprint=_fingerprint(new),
            schema_digest=action.schema_digest,
            effect=action.spec.effect,
            native=action.native,
            wished=new.approvers,
            expires_seconds=new.expires_in,
        )
        return NewRequest(
            action=action.name,
            risk=action.spec.risk,
            title=new.title,
            arguments=arguments,
            preview=_preview(new).model_dump(mode="json"),
            reason=new.reason or None,
            schema_=action.schema,
            client_key=new.client_key,
            callback_url=new.callback_url,
            expires_seconds=new.expires_in or expires,
            asked=asked,
        )

    async def decided(self, who: Principal, approval_id: str, seconds: float) -> ApprovalView:
        """Wait at most `seconds` for a request's end; gives it as it stands then. Raises NotFound."""
        return await waiting.decided(self.database, self.rooms, who, approval_id, seconds)

    async def withdraw(self, who: Principal, approval_id: str) -> ApprovalView:
        """Take a request back; twice is once. Raises NotFound, Conflict when it was decided, Unavailable."""
        async with change(self.database, self.rooms) as work:
            row = await asks.own(work.session, who, approval_id)
            if row.state == ApprovalState.REQUESTED:
                await self._withdraw_unseen(work, who, row)
        if row.state == ApprovalState.PENDING and not await self.workflows.withdraw(approval_id, who.user_id):
            async with change(self.database, self.rooms) as work:
                await consents.withdraw_lost(work, self.audit, approval_id)
        view = await self.decided(who, approval_id, _SETTLE_SECONDS)
        if view.state not in {ApprovalState.WITHDRAWN, ApprovalState.PENDING}:
            message = f"It is closed already: {view.state}."
            raise Conflict(message, state=view.state)
        return view

    async def _withdraw_unseen(self, work: Work, who: Principal, row: Approval) -> None:
        """Close what nobody was shown: its workflow finds it so."""
        outcome = ApprovalOutcome(
            approval_id=row.id, state=ApprovalState.WITHDRAWN, digest=row.digest, user_id=who.user_id, at=now()
        )
        await consents.close(work, outcome)
        await self.audit.record(work, row.workspace_id, who.user_id, "approval.withdrawn", row.id, digest=row.digest)

    async def consume(self, who: Principal, approval_id: str, digest: str, claim: str | None = None) -> Taken:
        """Take what was approved to run it, once for each claim.

        Who consented must still be entitled, and the rules no stricter than they were; else it is void. Raises
        NotFound, Conflict, Expired, DigestMismatch.
        """
        async with change(self.database, self.rooms) as work:
            row = await asks.own(work.session, who, approval_id)
            void = await self._why_void(work, row)
            if void is not None:
                await consents.make_void(work, self.audit, row, void)
            else:
                view = await asks.consume(work, self.audit, who, approval_id, digest, claim)
        if void is not None:
            message = f"{void[:1].upper()}{void[1:]}: ask again, under another client key."
            raise Conflict(message, reason="void", state=ApprovalState.VOID)
        return Taken(approval=view, arguments=row.arguments)

    async def _why_void(self, work: Work, row: Approval) -> str | None:
        if row.state != ApprovalState.APPROVED or row.consumed_at is not None:
            return None
        if row.votes and not await self._holds(work, row):
            return "who approved this may no longer do so"
        return await outdated.why(work.session, self.registry, row)

    async def _holds(self, work: Work, row: Approval) -> bool:
        """Whether its votes are still consent, with people, and who asked, as they are known to be now."""
        person = await deciders.person_of(work.session, row.workspace_id, row.requester_id)
        request = approvals.as_input(row).model_copy(update={"requester_person_id": person})
        standing = replace(approval_rules.begin(request), escalated=row.escalated_at is not None)
        return await holds_still(work.session, row, standing, approval_rules.decide)

    async def report(self, who: Principal, approval_id: str, said: Report) -> ApprovalView:
        """Keep what came of what was taken. Raises NotFound, Conflict."""
        async with change(self.database, self.rooms) as work:
            return await asks.report(work, self.audit, who, approval_id, said)


async def _check_secret(work: Work, who: Principal) -> None:
    if await webhooks.callback_of(work.session, who) is None:
        message = "A callback needs a secret that signs it: make yours first (POST /api/v1/webhooks/callback-secret)."
        raise Invalid(message)


def _preview(new: NewAsk) -> PreviewView:
    if len(new.preview.model_dump_json().encode()) > _MAX_PREVIEW:
        message = f"A preview has at most {_MAX_PREVIEW} bytes: tell the people who decide what matters."
        raise Invalid(message)
    changes = tuple(ChangeView(label=one.label, before=one.before, after=one.after) for one in new.preview.changes)
    return PreviewView(
        summary=new.preview.summary or new.title,
        changes=changes,
        reversible=new.preview.reversible,
        cost=new.preview.cost or None,
        warnings=(_CLAIMED,),
    )


def _fingerprint(new: NewAsk) -> str:
    """Hash all that was sent but its key, so that the same key cannot mean two things."""
    try:
        content = canonical(new.model_dump(mode="json", by_alias=True, exclude={"client_key", "arguments"}))
        return hashlib.sha256(content + canonical(new.arguments)).hexdigest()
    except ValueError as error:
        raise Invalid(f"{error}.".capitalize()) from error
