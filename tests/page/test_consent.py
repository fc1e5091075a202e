"""Consent at the page: how a request stands, changes to it, questions, always allowing the like."""

import re

import pytest
from playwright.async_api import expect

from core.clock import now
from tests.page.stage import approval, service, vote

pytestmark = pytest.mark.browser
FOUR_EYES = {
    "stages": [
        {"name": "finance", "needs": [{"party": {"roles": ["admin"]}, "count": 2}]},
        {"name": "the owner", "needs": [{"party": {"roles": ["owner"]}, "count": 1}]},
    ],
    "assurance": "L3",
}
REMEMBERED = {"stages": [{"needs": [{"party": {"roles": ["owner"]}}]}], "may_remember": True}
DECISION = "POST /approvals/apr_1/decision"


class TestCard:
    async def test_it_says_how_the_request_stands(self, stage, home):
        deciders = [{"user_id": "usr_1", "name": "Ana"}, {"user_id": "usr_4", "name": "Eve", "in_place_of": "Flo"}]
        await stage.ask(
            approval(
                plan=FOUR_EYES, deciders=deciders, votes=[vote("usr_2", "Ben", in_place_of="Di", comment="fine")],
                revision=1, edited_by_name="Ben", generation=1, escalated_at=now().isoformat(),
                rule="large refunds", policy_version=4, arguments={"password": "••••••"},
            ),
        )  # fmt: skip
        card = home.locator("[data-approval=apr_1]")
        await expect(card).to_contain_text(
            "Stage 1 of 2 (finance): 1 of 2 consents given; one more from you, Eve for Flo"
        )
        said = await card.inner_text()

        assert "Ben for Di approved on Telegram" in said
        assert "by Ben; what was said before counts no more" in said
        assert "once: the consent before did not hold any more" in said
        assert "large refunds (version 4 of the rules)" in said
        assert "••••••" in said
        assert "22 h" in said
        assert said.index("RISK") < said.index("Delete the task")

    async def test_a_program_s_words_are_labelled_as_its_own(self, stage, home):
        await stage.ask(service(reason="The tests are green.", action="deploy.production"))
        card = home.locator("[data-approval=apr_1]")

        await expect(card).to_contain_text("Asked by deploy-bot, in its own words, not checked: The tests are green.")
        await expect(card).not_to_contain_text("The assistant")
        await expect(card.get_by_role("button", name="Approve: Delete the task Buy milk")).to_be_visible()
        await expect(card.get_by_role("button", name="Open its conversation")).to_have_count(0)

    async def test_what_it_costs_is_on_the_card_where_it_is_known(self, stage, home):
        await stage.ask(service())
        card = home.locator("[data-approval=apr_1]")
        await expect(card).to_be_visible()
        await expect(card.get_by_text("Cost", exact=True)).to_have_count(0)
        await stage.ask(
            service(id="apr_2", digest="b" * 64, preview=approval()["preview"] | {"cost": "12 EUR a month"})
        )

        await expect(home.locator("[data-approval=apr_2]")).to_contain_text("Cost12 EUR a month")

    async def test_who_answered_is_told_that_others_are_to_answer(self, stage, talk):
        stage.approvals = [approval(plan=FOUR_EYES)]
        await talk.goto(f"{stage.url}/?approval=apr_1")
        card = talk.locator("main [data-approval=apr_1]")
        await expect(card).to_be_visible()
        voted = approval(plan=FOUR_EYES, votes=[vote("usr_1", "Ana")])
        stage.answers[DECISION] = [(200, {"state": "accepted", "approval": voted})]
        stage.approvals = [voted]
        await card.get_by_role("button", name="Delete the task Buy milk").click()

        await expect(card).to_contain_text("You have answered; others are still to answer.")
        await expect(card).to_be_focused()
        await expect(talk).to_have_title("Assent")

    async def test_the_end_says_who_where_and_when(self, stage, home):
        stage.approvals = [approval()]
        await home.goto(f"{stage.url}/?approval=apr_1")
        at = now()
        closed = approval("approved", decided_by_name="Ben for Ana", decided_door="telegram", decided_at=at.isoformat())
        await expect(home.locator("main [data-approval=apr_1]")).to_be_visible()
        await stage.happen("approval.closed", stream="mbr_1", approval=closed)

        outcome = home.locator("main .outcome")
        await expect(outcome).to_have_text(re.compile(r"Approved by Ben for Ana on Telegram, \d\d:\d\d"))


class TestChange:
    async def test_what_is_wrong_is_shown_at_its_field_and_the_request_stays(self, stage, home):
        await stage.ask(approval())
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Change").click()
        await expect(card.get_by_label("title")).to_be_focused()
        await card.get_by_label("title").fill("Buy oats")
        await card.get_by_label("days").fill("many")
        await card.get_by_role("button", name="Approve with these changes").click()
        await expect(card.get_by_text("This is no number.")).to_be_visible()
        assert stage.sent(DECISION) == []
        await card.get_by_label("days").fill("3")
        detail = "tasks.delete: days must be at most 2."
        stage.answers[DECISION] = [(422, {"code": "invalid", "detail": detail, "status": 422})]
        await card.get_by_role("button", name="Approve with these changes").click()
        await expect(card.get_by_text("must be at most 2")).to_be_visible()
        await expect(card.get_by_label("days")).to_have_attribute("aria-invalid", "true")
        await expect(card.get_by_label("days")).to_be_focused()
        await card.get_by_label("days").fill("2")
        await card.get_by_role("button", name="Approve with these changes").click()
        await expect(card).to_have_count(0)

        first, second = stage.sent(DECISION)
        assert second["arguments"] == {"title": "Buy oats", "days": 2}
        assert (second["digest"], second["verdict"]) == (approval()["digest"], "approve")
        assert first["decision_id"] != second["decision_id"]

    async def test_enter_in_a_field_never_approves_what_was_asked(self, stage, home):
        await stage.ask(approval())
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Change").click()
        await card.get_by_label("title").fill("Buy oats")
        await home.keyboard.press("Enter")

        assert (await stage.got(DECISION))["arguments"] == {"title": "Buy oats"}

    async def test_what_is_being_written_stays_when_somebody_else_votes(self, stage, home):
        await stage.ask(approval(plan=FOUR_EYES))
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Change").click()
        await card.get_by_label("title").fill("Buy oats")
        voted = approval(plan=FOUR_EYES, votes=[vote("usr_2", "Ben")])
        stage.approvals = [voted]
        await stage.happen("approval.updated", stream="mbr_1", approval=voted)
        await expect(card).to_contain_text("Ben approved on Telegram")

        await expect(card.get_by_label("title")).to_have_value("Buy oats")
        await expect(card.get_by_label("title")).to_be_focused()

    async def test_what_a_service_asks_has_its_form_filled_in_first(self, stage, home):
        fields = {"day": {"type": "string", "description": "Day"}, "seats": {"type": "integer"}}
        form = {"type": "object", "properties": fields, "required": ["day"]}
        asked = approval(origin="question", arguments={"seats": 2}, arguments_schema=form, tool_call_id=None)
        await stage.ask(asked)
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Send the answer").click()
        await card.get_by_label("day").fill("Monday")
        await card.get_by_role("button", name="Approve with these changes").click()

        assert (await stage.got(DECISION))["arguments"] == {"day": "Monday", "seats": 2}

    async def test_a_question_is_answered(self, stage, home):
        answer = {"type": "string", "enum": ["", "eu", "us"]}
        schema = {"type": "object", "properties": {"question": {"type": "string"}, "answer": answer}}
        asked = {"question": "Which region?", "answer": ""}
        preview = {"summary": "Which region?", "reversible": True, "warnings": [], "changes": []}
        await stage.ask(service(action="human.answer", arguments=asked, arguments_schema=schema, preview=preview))
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Send the answer").click()
        await expect(card.get_by_text("Give an answer first.")).to_be_visible()
        await card.get_by_label("us").check()
        await card.get_by_role("button", name="Send the answer").click()

        assert (await stage.got(DECISION))["arguments"] == asked | {"answer": "us"}


class TestAlways:
    SUGGESTED = (
        200,
        {
            "may_remember": True, "patterns": {}, "max_seconds": 7_776_000, "max_uses": 10_000,
            "choices": [
                {
                    "argument": "title",
                    "options": [{"kind": "exact", "value": "Buy milk"}, {"kind": "any"}],
                    "says": ['exactly "Buy milk"', "anything"],
                }
            ],
        },
    )  # fmt: skip

    async def test_what_it_covers_is_shown_before_it_is_confirmed(self, stage, home):
        stage.answers["GET /approvals/apr_1/grant-suggestion"] = [self.SUGGESTED]
        await stage.ask(approval(plan=REMEMBERED, requester_name="Ana"))
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Always allow").click()
        said = 'For 7 days, 3 times at most, tasks.delete for Ana runs unasked with title: exactly "Buy milk".'
        await card.get_by_label("For how long").select_option("7 days")
        await card.get_by_label("How often").fill("3")
        await expect(card.get_by_text(said)).to_be_visible()
        assert stage.sent(DECISION) == []
        await card.get_by_role("button", name="Approve this one, and always allow the like").click()
        sent = await stage.got(DECISION)

        patterns = {"title": {"kind": "exact", "value": "Buy milk"}}
        assert sent["remember"] == {"patterns": patterns, "seconds": 604_800, "uses": 3}

    @pytest.mark.parametrize("plan", [approval()["plan"], FOUR_EYES | {"may_remember": True}], ids=["rule", "quorum"])
    async def test_it_is_offered_only_where_the_rule_says_so_and_one_consent_is_enough(self, stage, home, plan):
        await stage.ask(approval(plan=plan))
        card = home.locator("[data-approval=apr_1]")

        await expect(card.get_by_role("button", name="Change")).to_be_visible()
        await expect(card.get_by_role("button", name="Always allow")).to_have_count(0)
