"""The inbox of the page: what waits, many at once, calls of unknown fate, and proofs on the way."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.page.stage import approval, call

pytestmark = pytest.mark.browser
STEP_UP = {"code": "step_up_required", "detail": "Prove who you are.", "status": 403, "title": "Prove", "type": "x"}
PASSWORD = (200, {"factors": {"password": True, "totp": False, "passkeys": 0, "oidc": 0}})
DECISION = "POST /approvals/apr_1/decision"


class TestInbox:
    async def test_it_counts_and_keeps_up(self, stage, home):
        await stage.ask(approval(conversation_id="cnv_9"))
        await stage.happen("tool.unknown", stream="mbr_1", call=call("unknown", id="cal_9", conversation_id="cnv_9"))
        await expect(home).to_have_title("(2) Assent")
        await expect(home.locator("#inbox-title")).to_have_text("Waiting for your decision (2)")
        stage.approvals = []
        await stage.happen("approval.closed", stream="mbr_1", approval=approval("expired", conversation_id="cnv_9"))
        await stage.happen("tool.finished", stream="mbr_1", call=call("done", id="cal_9", conversation_id="cnv_9"))

        await expect(home).to_have_title("Assent")
        await expect(home.get_by_text("Nothing waits for you.").last).to_be_visible()

    @pytest.mark.parametrize(("button", "outcome"), [("It happened", "done"), ("It did not happen", "not_done")])
    async def test_a_person_says_what_became_of_a_call(self, stage, home, button, outcome):
        unknown = call("unknown", id="cal_9", conversation_id="cnv_9", action="email.send")
        stage.answers["POST /tool-calls/cal_9/outcome"] = [(200, unknown | {"state": "done"})]
        await stage.happen("tool.unknown", stream="mbr_1", call=unknown)
        card = home.get_by_role("region", name="Did email.send take effect?")
        await card.get_by_label("What you found").fill("It is in the outbox.")
        await card.get_by_role("button", name=button).click()
        await expect(card).to_have_count(0)

        sent = await stage.got("POST /tool-calls/cal_9/outcome")
        assert sent == {"outcome": outcome, "detail": "It is in the outbox."}

    async def test_who_was_shown_a_request_is_noted(self, stage, home):
        async with home.expect_response("**/approvals/apr_1") as answered:
            await stage.ask(approval(conversation_id="cnv_9"))

        assert (await answered.value).request.method == "GET"


class TestMany:
    def like(self, number: int) -> dict[str, Any]:
        preview = {"summary": f"Delete task {number}", "reversible": False, "warnings": [], "changes": []}
        return approval(id=f"apr_{number}", batch="bat_1", digest=str(number) * 64, preview=preview)

    @pytest.fixture
    async def batch(self, stage, home):
        stage.approvals = [self.like(1), self.like(2)]
        for one in stage.approvals:
            await stage.happen("approval.requested", stream="mbr_1", approval=one)
        return home.locator("[data-batch=bat_1]")

    async def test_all_are_approved_together_once_each_was_opened(self, stage, home, batch):
        yes = batch.get_by_role("button", name="Approve all 2")
        await expect(yes).to_be_disabled()
        await batch.locator("summary").nth(0).click()
        await expect(yes).to_be_disabled()
        await batch.locator("summary").nth(1).click()
        await yes.click()
        sent = await stage.got("POST /approvals/decisions")

        assert [(one["approval_id"], one["digest"], one["verdict"]) for one in sent] == [
            ("apr_1", "1" * 64, "approve"),
            ("apr_2", "2" * 64, "approve"),
        ]

    async def test_one_by_one(self, stage, home, batch):
        await batch.locator("summary").nth(1).click()
        await batch.locator("[data-approval=apr_2]").get_by_role("button", name="Reject").click()

        assert (await stage.got("POST /approvals/apr_2/decision"))["verdict"] == "reject"

    async def test_a_proof_is_asked_for_and_then_it_goes_on_with_the_rest(self, stage, home, batch):
        done = {"state": "accepted", "approval": self.like(1) | {"state": "approved"}}
        first = [
            {"approval_id": "apr_1", "decided": done, "problem": None},
            {"approval_id": "apr_2", "decided": None, "problem": STEP_UP},
        ]
        stage.answers["POST /approvals/decisions"] = [(200, first)]
        stage.answers["GET /auth/session"] = [PASSWORD]
        stage.answers["POST /auth/prove"] = [(200, {})]
        for at in (0, 1):
            await batch.locator("summary").nth(at).click()
        await batch.get_by_role("button", name="Approve all 2").click()
        await prove(home)
        await stage.got("POST /approvals/decisions", 2)
        await expect(batch).to_have_count(0)
        sent = stage.sent("POST /approvals/decisions")

        assert [[one["approval_id"] for one in each] for each in sent] == [["apr_1", "apr_2"], ["apr_2"]]


async def prove(page) -> None:
    asked = page.get_by_role("dialog", name="Prove who you are")
    await asked.get_by_label("Password").fill("a long password")
    await asked.get_by_role("button", name="Prove it").click()


class TestProof:
    async def test_a_change_goes_on_after_the_proof(self, stage, home):
        stage.answers[DECISION] = [(403, STEP_UP)]
        stage.answers["GET /auth/session"] = [PASSWORD]
        stage.answers["POST /auth/prove"] = [(200, {})]
        await stage.ask(approval())
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Change").click()
        await card.get_by_label("title").fill("Buy oats")
        await card.get_by_role("button", name="Approve with these changes").click()
        await prove(home)
        await expect(card).to_have_count(0)
        first, second = stage.sent(DECISION)

        assert second["arguments"] == {"title": "Buy oats"}
        assert first["decision_id"] != second["decision_id"]
