"""Prompts in SQL: one for each person who may decide and each account of theirs, always as the approval stands."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import ConsentPlan
from core.outgoing import Button, Headline, OutMessage, Plain
from core.store import deciders, deliveries, identities
from core.store.audit import AuditTrail
from core.store.deliveries import Wanted
from core.store.work import Work
from core.tables.connect import Delivery
from core.tables.consent import Approval
from core.tables.identity import Identity
from core.tables.work import ToolCall
from core.text import reveal
from core.values import ApprovalState, CallState


async def refresh(work: Work, approval: Approval, *, remind: bool = False) -> None:
    """Bring the prompts of an approval up to date after any change of it, in the change's own transaction.

    Whoever may decide now is asked on each account; what was sent before is edited; with `remind`, whoever did not
    answer yet is told again. Of a closed one every prompt that was sent says how it ended.
    """
    sent = await deliveries.of_approval(work.session, approval.id)
    if ApprovalState(approval.state).is_open:
        reached = await _reached(work.session, approval)
        known = {(row.user_id, row.channel, row.account, row.thread) for row in sent}
        for identity in reached:
            if (identity.user_id, identity.channel, identity.account, identity.thread) not in known:
                await deliveries.put(work, _prompt(approval, identity))
        if remind:
            await _remind(work, approval, reached)
    for row in sent:
        leader = row.body.get("folded")
        shown = row if leader is None else await work.session.get(Delivery, leader)
        if shown is not None:
            await deliveries.want_edit(work, shown)


def _prompt(approval: Approval, identity: Identity) -> Wanted:
    return Wanted(
        workspace_id=approval.workspace_id,
        kind=deliveries.PROMPT,
        ref=approval.id,
        channel=identity.channel,
        account=identity.account,
        thread=identity.thread or "",
        body={},
        user_id=identity.user_id,
        conversation_id=approval.conversation_id,
        approval_id=approval.id,
    )


async def _remind(work: Work, approval: Approval, reached: Collection[Identity]) -> None:
    plan = ConsentPlan.model_validate(approval.plan)
    number = sum(instant <= now() for instant in plan.remind_at)
    answered = await _answered(work.session, approval, {one.user_id for one in reached})
    for identity in reached:
        if identity.user_id not in answered:
            reminder = {
                "ref": f"{approval.id}:{number}",
                "kind": deliveries.NOTICE,
                "body": {"reminds_of": approval.id},
            }
            await deliveries.put(work, _prompt(approval, identity).model_copy(update=reminder))


async def _answered(session: AsyncSession, approval: Approval, user_ids: Collection[str]) -> set[str]:
    """Give those of these users who answered it, by whatever account of theirs."""
    voters = {vote["user_id"] for vote in approval.votes}
    persons = await deciders.persons_of(session, approval.workspace_id, voters | set(user_ids))
    answered = {persons[one] for one in voters}
    return {one for one in user_ids if persons[one] in answered}


async def eligible(session: AsyncSession, approval: Approval) -> set[str]:
    """Give the ids of all who may decide it now, in their own right or in place of somebody else."""
    return {view.user_id for _, view in await deciders.deciding(session, approval, deciders.ways_of(approval))}


async def _reached(session: AsyncSession, approval: Approval) -> list[Identity]:
    """Give the accounts to ask on; where nobody of the workspace has any, nothing else is asked of SQL."""
    anybody = select(Identity.id).where(Identity.workspace_id == approval.workspace_id).limit(1)
    if (await session.execute(anybody)).first() is None:
        return []
    return list(await identities.reached(session, approval.workspace_id, await eligible(session, approval)))


async def ask_again(work: Work, approval_id: str, identity_id: str, ref: str) -> None:
    """Prompt one account anew, for its person asked for that: whatever the cap and the hour."""
    approval, identity = await work.session.get(Approval, approval_id), await work.session.get(Identity, identity_id)
    if approval is not None and identity is not None and identity.thread is not None:
        anew = {"ref": f"{approval_id}:{ref}", "body": {"at_once": True}}
        await deliveries.put(work, _prompt(approval, identity).model_copy(update=anew))


async def notify(
    work: Work,
    workspace_id: str,
    user_ids: Collection[str] | None,
    ref: str,
    message: OutMessage,
    *,
    but: str | None = None,
) -> int:
    """Tell these people (None: everybody) something on every account of theirs, `but` one: an identity's id.

    Saying it twice under one `ref` is saying it once. Gives on how many accounts. What they press comes back as any
    button does: its `data` is the caller's own.
    """
    reached = [one for one in await identities.reached(work.session, workspace_id, user_ids) if one.id != but]
    for identity in reached:
        wanted = Wanted(
            workspace_id=workspace_id,
            kind=deliveries.NOTICE,
            ref=ref,
            channel=identity.channel,
            account=identity.account,
            thread=identity.thread or "",
            body={"message": message.model_dump(mode="json")},
            user_id=identity.user_id,
        )
        await deliveries.put(work, wanted)
    return len(reached)


async def ask_what_happened(work: Work, call: ToolCall, user_ids: Collection[str]) -> None:
    """Ask people what became of a call of unknown fate; once it is known, what they were asked says so instead."""
    ref = f"unknown:{call.id}"
    if call.state == CallState.UNKNOWN:
        buttons = (
            Button(label="It was done", data=f"u1:{call.id}:done"),
            Button(label="It was not", data=f"u1:{call.id}:not_done"),
        )
        text = f"{reveal(call.action)} may have taken effect, or not: nobody knows. Please look, and say which it is."
        parts = (Headline(text="What became of it?"), Plain(text=text))
        await notify(work, call.workspace_id, user_ids, ref, OutMessage(parts=parts, buttons=(buttons,)))
        return
    for row in await deliveries.of_turn(work.session, deliveries.NOTICE, ref):
        row.body = {"text": f"{reveal(call.action)}: it is known now, {call.state}."}
        await deliveries.want_edit(work, row)


async def batch_of(session: AsyncSession, row: Delivery, batch: str) -> list[tuple[Delivery, Approval]]:
    """Give the prompts of like requests for one account, in a fixed order: `row` and those that came with it.

    The first is shown; those that are shown in it have its id as `folded` in their body.
    """
    statement = (
        select(Delivery, Approval)
        .join(Approval, Approval.id == Delivery.approval_id)
        .where(Approval.batch == batch, Delivery.kind == deliveries.PROMPT, Delivery.ref == Approval.id)
        .where(Delivery.user_id == row.user_id, Delivery.channel == row.channel)
        .where(Delivery.account == row.account, Delivery.thread == row.thread)
        .order_by(Delivery.id)
        .execution_options(populate_existing=True)
    )
    pairs: list[tuple[Delivery, Approval]] = []
    for delivery, approval in await session.execute(statement):
        fresh = delivery.state == deliveries.WAITING and ApprovalState(approval.state).is_open
        if fresh or delivery.state == deliveries.SENT or "folded" in delivery.body:
            pairs.append((delivery, approval))
    return pairs


async def fold(work: Work, row: Delivery, leader_id: str) -> None:
    """Show a prompt within another from now on, which shows it at its next edit."""
    await deliveries.arm(work.session, row.id, None, {"folded": leader_id})
    leader = await work.session.get(Delivery, leader_id, populate_existing=True)
    if leader is not None:
        await deliveries.want_edit(work, leader)


async def record_sent(work: Work, audit: AuditTrail, row: Delivery) -> None:
    """Note in the audit trail who was sent which request, as it stood: by its digest, or those of the batch."""
    facts = {"user_id": row.user_id, "channel": row.channel, "account": row.account}
    facts |= {name: row.body[name] for name in ("digest", "batch") if row.body.get(name)}
    await audit.record(work, row.workspace_id, "server", "prompt.sent", row.approval_id or row.ref, **facts)


async def is_missed(session: AsyncSession, delivery: Delivery) -> bool:
    """Whether what the person of a reminder is told of still waits for them."""
    approval = await session.get(Approval, delivery.approval_id)
    if approval is None or not await is_asked(session, delivery):
        return False
    return not await _answered(session, approval, {delivery.user_id or ""})


async def is_asked(session: AsyncSession, delivery: Delivery) -> bool:
    """Whether the person of a prompt may decide what it is about, now."""
    approval = await session.get(Approval, delivery.approval_id)
    return approval is not None and delivery.user_id in await eligible(session, approval)
