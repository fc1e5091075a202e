"""A vote from a linked account counts while that account is linked, and no longer."""

from datetime import timedelta

import pytest

from core.clock import now
from core.consent import Assurance
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import approvals, decisions, identities
from core.store.audit import AuditTrail
from core.store.decisions import Answer
from core.store.standing import holds_still
from core.store.work import change
from core.tables.consent import Approval, Decision
from core.tables.identity import Identity
from core.values import CallState, DecisionVerdict
from core.views import VoteView
from tests.workers.acting.desk import Asked, Desk
from workflows import approval_rules


class Chat:
    """The owner's accounts on channels, and calls that they approved from there."""

    def __init__(self, desk: Desk, audit: AuditTrail) -> None:
        self.desk, self.audit = desk, audit

    async def link(self, **more: object) -> Identity:
        row = Identity(
            id=new_id("idn"),
            user_id=self.desk.owner.user_id,
            workspace_id=self.desk.owner.workspace_id,
            channel="telegram",
            account="bot",
            external_id=new_id("tg"),
            linked_at=now(),
        )
        row.sqlmodel_update(more)
        await self.desk.world.add(row)
        return row

    async def unlink(self, identity: Identity, who: Principal | None = None) -> None:
        async with change(self.desk.world.database, self.desk.world.rooms) as work:
            await identities.unlink(work, self.audit, who or self.desk.owner, identity.id)

    async def approved(self, session_id: str, door: str = "telegram") -> Asked:
        """A call that the owner approved through a door: a channel's with a linked account's id for a session."""
        desk = self.desk
        asked = await desk.approved()
        approval = await desk.world.get(Approval, asked.consent.approval_id)
        answer = Answer(
            door=door,
            approval_id=approval.id,
            update_id=new_id("upd"),
            verdict=DecisionVerdict.APPROVE,
            digest=approval.digest,
            comment=None,
        )
        who = desk.owner.model_copy(update={"session_id": session_id})
        async with change(desk.world.database, desk.world.rooms) as work:
            made = await decisions.resolve(work.session, who, approval, answer, asked.consent.decision_id or "")
            await decisions.receive(work, self.audit, who, answer, made, None)
        return asked

    async def forget_the_account(self, asked: Asked) -> None:
        """Make the decision one from before it was kept which account it came from."""
        decision = await self.desk.world.get(Decision, asked.consent.decision_id or "")
        assert decision.made is not None
        made = {name: value for name, value in decision.made.items() if name != "identity_id"}
        await self.desk.world.alter(Decision, decision.id, made=made)

    async def runs(self, asked: Asked) -> bool:
        """Whether the call is done; else people are asked again."""
        acted = await self.desk.act(asked)
        assert (acted.state is CallState.DONE) is (acted.again is None)
        assert (self.desk.notes.sent == []) is (acted.again is not None)
        return acted.again is None


@pytest.fixture
def chat(desk: Desk, audit: AuditTrail) -> Chat:
    return Chat(desk, audit)


class TestUnlinked:
    async def test_a_vote_counts_while_its_account_is_linked(self, chat):
        assert await chat.runs(await chat.approved((await chat.link()).id))

    async def test_unlinked_by_its_person_it_counts_no_more(self, chat):
        identity = await chat.link()
        asked = await chat.approved(identity.id)
        await chat.unlink(identity)

        assert not await chat.runs(asked)

    async def test_nor_unlinked_by_another_owner(self, chat, desk):
        identity = await chat.link()
        asked = await chat.approved(identity.id)
        await chat.unlink(identity, await desk.world.person(desk.owner.workspace_id, Role.OWNER))

        assert not await chat.runs(asked)

    async def test_another_account_of_theirs_on_that_channel_does_not_stand_in(self, chat):
        await chat.link()
        identity = await chat.link()
        asked = await chat.approved(identity.id)
        await chat.unlink(identity)

        assert not await chat.runs(asked)

    async def test_linked_anew_it_counts_no_more_either(self, chat):
        identity = await chat.link()
        asked = await chat.approved(identity.id)
        await chat.unlink(identity)
        await chat.link(external_id=identity.external_id)

        assert not await chat.runs(asked)

    async def test_unlinking_another_account_changes_nothing(self, chat):
        stays, goes = await chat.link(), await chat.link()
        asked = await chat.approved(stays.id)
        await chat.unlink(goes)

        assert await chat.runs(asked)

    async def test_what_was_decided_elsewhere_needs_no_account(self, chat, desk):
        assert await chat.runs(await chat.approved(desk.owner.session_id, "web"))

    @pytest.mark.parametrize(
        ("more", "holds"),
        [
            ({}, True),
            ({"linked_at": now() + timedelta(hours=1)}, False),
            ({"channel": "slack"}, False),
        ],
    )
    async def test_an_older_vote_wants_an_account_there_from_before_it(self, chat, more, holds):
        asked = await chat.approved((await chat.link(**more)).id)
        await chat.forget_the_account(asked)

        assert await chat.runs(asked) is holds


class TestOutsideRequests:
    @pytest.mark.parametrize("linked", [True, False])
    async def test_they_look_at_accounts_as_well(self, chat, desk, linked):
        identity = await chat.link()
        asked = await chat.approved(identity.id)
        if not linked:
            await chat.unlink(identity)
        row = await desk.world.get(Approval, asked.consent.approval_id)
        vote = VoteView(
            decision_id=asked.consent.decision_id or "",
            user_id=desk.owner.user_id,
            name="",
            verdict="approve",
            assurance=Assurance.L2,
            at=now(),
        )
        row.votes = [vote.model_dump(mode="json")]
        begun = approval_rules.begin(approvals.as_input(row))
        async with desk.world.database.reading() as session:
            holds = await holds_still(session, row, begun, approval_rules.decide)

        assert holds is linked
