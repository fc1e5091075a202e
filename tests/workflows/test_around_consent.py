"""What stands around consent on a Temporal server: always allowed, decided for others, masked, capped, tainted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from core.clock import now
from core.errors import Invalid
from core.ids import new_id
from core.keys import KeyRing
from core.masking import MASK
from core.permissions import Door, Role
from core.settings import Settings
from core.store import export, grants
from core.store.database import Database
from core.store.decisions import GrantWish
from core.store.work import change
from core.tables.consent import Approval, Decision, Grant
from core.tables.people import User, Workspace
from core.tables.records import AuditRow, StoredEvent
from core.tables.work import ToolCall, Turn
from core.values import ApprovalState, CallState, DecisionVerdict, TurnState
from core.views import ApprovalView
from tests.doubles.vault import Vault
from tests.workflows.script import call
from tests.workflows.stage import Stage
from workers.llm.port import AssistantSaid, CallAsked, ToolAnswered

pytestmark = pytest.mark.server
EXACT = {"text": {"kind": "exact", "value": "hi"}}
SECRET = "hunter2hunter2"


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
async def stage(
    tmp_path: Path, sqlite_database: Database, client: Client, ring: KeyRing, vault: Vault
) -> AsyncIterator[Stage]:
    settings = Settings(data_dir=tmp_path, learn_facts=False)
    stage = Stage(settings, sqlite_database, client, ring, (vault,))
    await stage.settle_in()
    async with stage.working():
        yield stage
    await stage.router.aclose()


async def always(
    stage: Stage, approval: ApprovalView, patterns: dict[str, Any] = EXACT, uses: int | None = None
) -> None:
    await stage.intake.submit_decision(
        stage.ana,
        Door.REST,
        approval.id,
        DecisionVerdict.APPROVE,
        approval.digest,
        new_id("dec"),
        None,
        remember=GrantWish(patterns=patterns, seconds=3600, uses=uses),
    )


async def granted(stage: Stage, **more: Any) -> Grant:
    """Somebody was asked once, and always allows the like."""
    sent = await stage.send("first", [call("put", "hi")])
    (approval,) = await stage.pending()
    await always(stage, approval, **more)
    await stage.ended(sent.turn_id)
    (grant,) = await stage.all(Grant)
    return grant


async def state_of(stage: Stage, text: str, *lines: Any) -> tuple[str, ToolCall]:
    """Say it; how the turn stands once it ended or waits, and its last call."""
    sent = await stage.send(text, *lines)
    turn = await stage.until(sent.turn_id, TurnState.FINISHED, TurnState.WAITING, TurnState.FAILED)
    return turn.state, (await stage.calls(sent.turn_id))[-1]


class TestAlwaysAllow:
    async def test_the_like_passes_unasked_and_is_counted(self, stage: Stage):
        grant = await granted(stage, uses=3)

        state, made = await state_of(stage, "again", [call("put", "hi")])

        assert (state, made.state) == (TurnState.FINISHED, CallState.DONE)
        assert made.grant_id == grant.id
        assert made.rule.startswith(f"always allowed by {stage.ana.name} until ")
        row = await stage.get(Grant, grant.id)
        assert (row.uses, row.uses_left, row.approval_id) == (1, 2, grant.approval_id)
        assert {"grant.given"} <= {one.kind for one in await stage.all(AuditRow)}
        assert await stage.told(stage.ana.membership_id) == ["approval.requested", "approval.closed", "grant.changed"]

    async def test_anything_else_is_asked(self, stage: Stage):
        await granted(stage)

        for text, asked in (("other text", call("put", "ho")), ("other action", call("send", "hi"))):
            state, made = await state_of(stage, text, [asked])
            assert (state, made.state) == (TurnState.WAITING, CallState.AWAITING)

    async def test_revoked_or_used_up_it_is_asked(self, stage: Stage):
        grant = await granted(stage, uses=1)
        state, made = await state_of(stage, "last", [call("put", "hi")])
        assert made.state == CallState.DONE

        state, made = await state_of(stage, "too often", [call("put", "hi")])
        assert state == TurnState.WAITING
        await stage.alter(Grant, grant.id, uses_left=5)
        async with change(stage.database, stage.rooms) as work:
            await grants.revoke(work, stage.audit, stage.ana, grant.id)
        state, made = await state_of(stage, "revoked", [call("put", "hi")])

        assert (state, made.grant_id) == (TurnState.WAITING, None)

    async def test_one_use_lets_one_of_two_pass(self, stage: Stage):
        await granted(stage, uses=1)

        sent = await stage.send("two", [call("put", "hi", "c1"), call("put", "hi", "c2")])
        (approval,) = await stage.pending()
        await stage.decide(approval)
        await stage.ended(sent.turn_id)

        assert [one.state for one in await stage.calls(sent.turn_id)] == [CallState.DONE] * 2
        assert len(stage.notes.sent) == 3

    async def test_a_giver_who_is_gone_allows_nothing(self, stage: Stage):
        grant = await granted(stage)
        zoe = await stage.person(stage.ana.workspace_id, Role.OWNER)
        await stage.alter(Grant, grant.id, granted_by=zoe.user_id)
        await stage.alter(User, zoe.user_id, disabled_at=now())

        state, _ = await state_of(stage, "again", [call("put", "hi")])

        assert state == TurnState.WAITING

    async def test_rules_that_want_to_be_surer_of_who_consents_are_asked(self, stage: Stage):
        grant = await granted(stage)
        approval = await stage.get(Approval, grant.approval_id)
        await stage.alter(Decision, approval.decision_id, assurance="L2")
        assert (await state_of(stage, "as before", [call("put", "hi")]))[0] == TurnState.FINISHED

        await stage.rule(approval.action, assurance="L3", may_remember=True)

        assert (await state_of(stage, "again", [call("put", "hi")]))[0] == TurnState.WAITING

    @pytest.mark.parametrize("mode", ["manual", "emergency"])
    async def test_modes_that_ask_always_do(self, stage: Stage, mode: str):
        await granted(stage)
        await stage.alter(Workspace, stage.ana.workspace_id, operation_mode=mode)

        await state_of(stage, "again", [call("put", "hi")])

        assert len(stage.notes.sent) == 1

    async def test_another_person_is_asked(self, stage: Stage):
        await granted(stage)
        bo = await stage.person(stage.ana.workspace_id)
        stage.ana, stage.conversation_id = bo, await stage.conversation(bo)

        state, _ = await state_of(stage, "mine", [call("put", "hi")])

        assert state == TurnState.WAITING

    async def test_what_does_not_cover_the_call_is_refused_and_it_waits_on(self, stage: Stage):
        await stage.send("first", [call("put", "hi")])
        (approval,) = await stage.pending()

        for patterns in ({"text": {"kind": "exact", "value": "ho"}}, {}, {"text": {"kind": "what"}}):
            with pytest.raises(Invalid):
                await always(stage, approval, patterns)

        assert (await stage.get(Approval, approval.id)).state == ApprovalState.PENDING
        assert await stage.all(Grant) == []

    async def test_what_is_destructive_cannot_be_always_allowed(self, stage: Stage):
        await stage.send("first", [call("drop", "hi")])
        (approval,) = await stage.pending()

        with pytest.raises(Invalid):
            await always(stage, approval)


class TestTaint:
    async def test_after_outsiders_words_nothing_passes_unasked(self, stage: Stage, vault: Vault):
        await granted(stage)

        look = CallAsked("c1", "vault.read", {"text": "x"})
        state, made = await state_of(stage, "look", [look], [call("put", "hi", "c2")])

        assert (state, made.action) == (TurnState.WAITING, "note.put")
        (turn,) = [one for one in await stage.all(Turn) if one.untrusted_at is not None]
        assert turn.id == made.turn_id
        state, _ = await state_of(stage, "and then", [call("put", "hi", "c3")])
        assert state == TurnState.WAITING


class TestSecrets:
    async def test_only_the_connector_gets_it(self, stage: Stage, vault: Vault):
        asked = CallAsked("c1", "vault.put", {"text": "t", "login": {"pin": SECRET}})
        sent = await stage.send("store it", [asked])
        (approval,) = await stage.pending()
        await stage.decide(approval)
        await stage.ended(sent.turn_id)

        assert vault.sent == [{"text": "t", "login": {"pin": SECRET}}]
        assert approval.arguments == {"text": "t", "login": {"pin": MASK}}
        assert SECRET not in approval.preview.summary
        every = [str(row.body) for row in await stage.all(StoredEvent)]
        every += [str(row.body) for row in await stage.all(AuditRow)]
        async with stage.database.reading() as session:
            every.append((await export.whole(session, stage.ana, stage.conversation_id)).model_dump_json())
        assert [one for one in every if SECRET in one] == []
        (made,) = await stage.calls(sent.turn_id)
        assert made.result == {"opened": f"with {MASK}"}
        told = stage.model.requests[-1].entries
        assert SECRET not in str([one for one in told if isinstance(one, AssistantSaid | ToolAnswered)])

    async def test_a_mask_sent_back_means_unchanged(self, stage: Stage, vault: Vault):
        sent = await stage.send("store", [CallAsked("c1", "vault.put", {"text": "t", "login": {"pin": SECRET}})])
        (approval,) = await stage.pending()

        await stage.intake.submit_decision(
            *(stage.ana, Door.REST, approval.id, DecisionVerdict.APPROVE, approval.digest, new_id("dec"), None),
            arguments=approval.arguments | {"text": "better"},
        )
        await stage.ended(sent.turn_id)

        assert vault.sent == [{"text": "better", "login": {"pin": SECRET}}]

    async def test_a_model_that_repeats_the_mask_is_told_so(self, stage: Stage, vault: Vault):
        _, made = await state_of(stage, "same", [CallAsked("c1", "vault.put", {"login": {"pin": MASK}})])

        assert made.state == CallState.FAILED
        assert "masked" in (made.detail or "")
