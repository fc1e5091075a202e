"""Consent at the page: how a request stands, changes, questions, always allowing, many at once, and what is in doubt."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from core.clock import now
from tests.page.stage import CONVERSATION, WORKSPACE, approval, call

pytestmark = pytest.mark.browser
FOUR_EYES = {
    "stages": [
        {"name": "finance", "needs": [{"party": {"roles": ["admin"]}, "count": 2}]},
        {"name": "the owner", "needs": [{"party": {"roles": ["owner"]}, "count": 1}]},
    ],
    "assurance": "L3",
}
REMEMBERED = {"stages": [{"needs": [{"party": {"roles": ["owner"]}}]}], "may_remember": True}
STEP_UP = {"code": "step_up_required", "detail": "Prove who you are.", "status": 403, "title": "Prove", "type": "x"}
DECISION = "POST /approvals/apr_1/decision"


def vote(user: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "decision_id": f"dec_{user}", "user_id": user, "name": name, "in_place_of": None, "verdict": "approve",
        "door": "telegram", "assurance": "L2", "stage": 0, "comment": None, "at": now().isoformat(),
    } | more  # fmt: skip


def service(**more: Any) -> dict[str, Any]:
    outside = {"origin": "service", "conversation_id": None, "turn_id": None, "tool_call_id": None}
    return approval(**outside, requester_id="usr_9", requester_name="deploy-bot", **more)


async def ask(stage, one: dict[str, Any]) -> None:
    stage.approvals = [one]
    await stage.happen("approval.requested", stream="mbr_1", approval=one)


def decisions(stage, path: str = DECISION) -> list[Any]:
    return [data for name, data in stage.received if name == path]


class TestCard:
    async def test_it_says_how_the_request_stands(self, stage, home):
        deciders = [{"user_id": "usr_1", "name": "Ana"}, {"user_id": "usr_4", "name": "Eve", "in_place_of": "Flo"}]
        await ask(
            stage,
            approval(
                plan=FOUR_EYES, deciders=deciders, votes=[vote("usr_2", "Ben", in_place_of="Di", comment="fine")],
                revision=1, edited_by_name="Ben", generation=1, escalated_at=now().isoformat(),
                rule="large refunds", policy_version=4, arguments={"password": "••••••"},
            ),
        )  # fmt: skip
        card = home.locator("[data-approval=apr_1]")
        await expect(card).to_contain_text("Stage 1 of 2 (finance): 1 of 2 consents given; one more from Ana, Eve for Flo")
        said = await card.inner_text()

        assert "Ben for Di approved on Telegram" in said
        assert "by Ben; what was said before counts no more" in said
        assert "once: the consent before did not hold any more" in said
        assert "large refunds (version 4 of the rules)" in said
        assert "••••••" in said
        assert "22 h" in said
        assert said.index("RISK") < said.index("Delete the task")

    async def test_a_program_s_words_are_labelled_as_its_own(self, stage, home):
        await ask(stage, service(reason="The tests are green.", action="deploy.production"))
        card = home.locator("[data-approval=apr_1]")

        await expect(card).to_contain_text("Asked by deploy-bot, in its own words, not checked: The tests are green.")
        await expect(card).not_to_contain_text("The assistant")
        await expect(card.get_by_role("button", name="Approve: Delete the task Buy milk")).to_be_visible()
        await expect(card.get_by_role("button", name="Open its conversation")).to_have_count(0)

    async def test_who_answered_is_told_that_others_are_to_answer(self, stage, talk):
        stage.approvals = [approval(plan=FOUR_EYES)]
        await talk.goto(f"{stage.url}/?approval=apr_1")
        voted = approval(plan=FOUR_EYES, votes=[vote("usr_1", "Ana")])
        stage.answers[DECISION] = [(200, {"state": "accepted", "approval": voted})]
        stage.approvals = [voted]
        card = talk.locator("main [data-approval=apr_1]")
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
        await ask(stage, approval())
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Change").click()
        await expect(card.get_by_label("title")).to_be_focused()
        await card.get_by_label("title").fill("Buy oats")
        await card.get_by_label("days").fill("many")
        await card.get_by_role("button", name="Approve with these changes").click()
        await expect(card.get_by_text("This is no number.")).to_be_visible()
        assert decisions(stage) == []
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

        first, second = decisions(stage)
        assert second["arguments"] == {"title": "Buy oats", "days": 2}
        assert (second["digest"], second["verdict"]) == (approval()["digest"], "approve")
        assert first["decision_id"] != second["decision_id"]

    async def test_enter_in_a_field_never_approves_what_was_asked(self, stage, home):
        await ask(stage, approval())
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Change").click()
        await card.get_by_label("title").fill("Buy oats")
        await home.keyboard.press("Enter")

        assert (await stage.got(DECISION))["arguments"] == {"title": "Buy oats"}

    async def test_what_is_being_written_stays_when_somebody_else_votes(self, stage, home):
        await ask(stage, approval(plan=FOUR_EYES))
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Change").click()
        await card.get_by_label("title").fill("Buy oats")
        voted = approval(plan=FOUR_EYES, votes=[vote("usr_2", "Ben")])
        stage.approvals = [voted]
        await stage.happen("approval.updated", stream="mbr_1", approval=voted)
        await expect(card).to_contain_text("Ben approved on Telegram")

        await expect(card.get_by_label("title")).to_have_value("Buy oats")
        await expect(card.get_by_label("title")).to_be_focused()

    async def test_a_question_is_answered(self, stage, home):
        answer = {"type": "string", "enum": ["", "eu", "us"]}
        schema = {"type": "object", "properties": {"question": {"type": "string"}, "answer": answer}}
        asked = {"question": "Which region?", "answer": ""}
        preview = {"summary": "Which region?", "reversible": True, "warnings": [], "changes": []}
        await ask(stage, service(action="human.answer", arguments=asked, arguments_schema=schema, preview=preview))
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
        await ask(stage, approval(plan=REMEMBERED, requester_name="Ana"))
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Always allow").click()
        said = 'For 7 days, 3 times at most, tasks.delete for Ana runs unasked with title: exactly "Buy milk".'
        await card.get_by_label("For how long").select_option("7 days")
        await card.get_by_label("How often").fill("3")
        await expect(card.get_by_text(said)).to_be_visible()
        assert decisions(stage) == []
        await card.get_by_role("button", name="Approve this one, and always allow the like").click()
        sent = await stage.got(DECISION)

        patterns = {"title": {"kind": "exact", "value": "Buy milk"}}
        assert sent["remember"] == {"patterns": patterns, "seconds": 604_800, "uses": 3}

    async def test_it_is_offered_only_where_the_rule_says_so(self, stage, home):
        await ask(stage, approval())
        card = home.locator("[data-approval=apr_1]")

        await expect(card.get_by_role("button", name="Change")).to_be_visible()
        await expect(card.get_by_role("button", name="Always allow")).to_have_count(0)


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
        stage.answers["GET /auth/session"] = [
            (200, {"factors": {"password": True, "totp": False, "passkeys": 0, "oidc": 0}})
        ]
        stage.answers["POST /auth/prove"] = [(200, {})]
        for at in (0, 1):
            await batch.locator("summary").nth(at).click()
        await batch.get_by_role("button", name="Approve all 2").click()
        await prove(home)
        await expect(batch).to_have_count(0)
        sent = decisions(stage, "POST /approvals/decisions")

        assert [[one["approval_id"] for one in each] for each in sent] == [["apr_1", "apr_2"], ["apr_2"]]


async def prove(page) -> None:
    asked = page.get_by_role("dialog", name="Prove who you are")
    await asked.get_by_label("Password").fill("a long password")
    await asked.get_by_role("button", name="Prove it").click()


class TestProof:
    async def test_a_change_goes_on_after_the_proof(self, stage, home):
        stage.answers[DECISION] = [(403, STEP_UP)]
        stage.answers["GET /auth/session"] = [
            (200, {"factors": {"password": True, "totp": False, "passkeys": 0, "oidc": 0}})
        ]
        stage.answers["POST /auth/prove"] = [(200, {})]
        await ask(stage, approval())
        card = home.locator("[data-approval=apr_1]")
        await card.get_by_role("button", name="Change").click()
        await card.get_by_label("title").fill("Buy oats")
        await card.get_by_role("button", name="Approve with these changes").click()
        await prove(home)
        await expect(card).to_have_count(0)
        first, second = decisions(stage)

        assert second["arguments"] == {"title": "Buy oats"}
        assert first["decision_id"] != second["decision_id"]


class TestInbox:
    async def test_it_counts_and_keeps_up(self, stage, home):
        await ask(stage, approval(conversation_id="cnv_9"))
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
        seen = []
        home.on("request", lambda request: seen.append(request.url))
        await ask(stage, approval(conversation_id="cnv_9"))
        await expect(home.locator("[data-approval=apr_1]")).to_be_visible()
        async with home.expect_response("**/approvals/apr_1"):
            await stage.happen("conversation.updated", conversation=CONVERSATION)


class TestOperation:
    async def test_everything_is_stopped_in_one_step_and_a_yes(self, stage, home):
        stopped = WORKSPACE | {
            "operation_mode": "emergency", "mode_changed_at": now().isoformat(), "mode_changed_by_name": "Ana",
        }  # fmt: skip
        stage.answers["PUT /workspace/mode"] = [(200, stopped)]
        await home.get_by_role("button", name="Stop everything").click()
        asked = home.get_by_role("alertdialog", name="Stop everything?")
        await asked.get_by_role("button", name="Stop all that has not begun").click()

        assert await stage.got("PUT /workspace/mode") == {"mode": "emergency"}
        await expect(home.get_by_role("alert").filter(has_text="Emergency: nothing that has not begun is done. Ana")).to_be_visible()
        await expect(home.get_by_label("Operation")).to_have_value("emergency")

    async def test_a_no_changes_nothing(self, stage, home):
        await home.get_by_label("Operation").select_option("Autonomous")
        await home.get_by_role("alertdialog").get_by_role("button", name="Cancel").click()

        await expect(home.get_by_label("Operation")).to_have_value("assisted")
        assert decisions(stage, "PUT /workspace/mode") == []

    async def test_a_member_is_told_and_switches_nothing(self, stage, page):
        stage.me = stage.me | {"role": "member"}
        for label, text in {"E-mail": "ana@example.com", "Password": "a long password"}.items():
            await page.get_by_label(label).fill(text)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("Operation: Assisted")).to_be_visible()
        changed = {"operation_mode": "emergency", "mode_changed_at": now().isoformat(), "mode_changed_by_name": "Ben"}
        await stage.happen("workspace.updated", stream="mbr_1", workspace=WORKSPACE | changed)

        await expect(page.get_by_text("Ben stopped it")).to_be_visible()
        await expect(page.get_by_role("button", name="Stop everything")).to_have_count(0)
        await expect(page.get_by_role("button", name="Switch to Assisted")).to_have_count(0)


class TestSettings:
    IDENTITY = {
        "id": "idn_1", "user_id": "usr_1", "channel": "telegram", "account": "bot", "external_id": "440",
        "shown_as": "@ana", "linked_at": now().isoformat(), "broken_at": None, "unlinked_at": None,
    }  # fmt: skip

    @pytest.fixture
    async def settings(self, stage, home):
        telegram = {"name": "telegram", "title": "Telegram", "state": "live", "known_as": "@assent_bot"}
        stage.lists["channels"] = [telegram, {"name": "slack", "title": "Slack", "state": "off"}]
        stage.lists["users"] = [
            {"id": "usr_1", "name": "Ana", "kind": "person"},
            {"id": "usr_2", "name": "Ben", "kind": "person"},
            {"id": "usr_3", "name": "bot", "kind": "service"},
        ]
        grant = {
            "id": "grt_1", "user_id": "usr_1", "user_name": "Ana", "action": "tasks.delete", "patterns": {},
            "says": {"title": 'exactly "Buy milk"'}, "granted_by": "usr_1", "granted_by_name": "Ana", "uses": 1,
            "uses_left": 2, "created_at": now().isoformat(), "expires_at": (now() + timedelta(days=1)).isoformat(),
            "revoked_at": None,
        }  # fmt: skip
        stage.lists["grants"] = [grant]
        stage.answers["POST /grants/grt_1/revoke"] = [(200, grant | {"revoked_at": now().isoformat()})]
        await home.get_by_role("button", name="Settings").click()
        return home.get_by_role("dialog", name="Settings")

    async def test_a_chat_is_linked_by_a_code_said_there(self, stage, home, settings):
        made = {"link": {}, "code": "AbCdEfGhIj", "address": "https://t.me/assent_bot?start=AbCdEfGhIj"}
        stage.answers["POST /identities/links"] = [(201, made)]
        await settings.get_by_role("button", name="Link Telegram").click()
        await expect(settings.get_by_text("AbCdEfGhIj", exact=True)).to_be_visible()
        await expect(settings.get_by_role("link", name="Open Telegram")).to_have_attribute("href", made["address"])
        await stage.happen("identity.changed", stream="mbr_1", identity=self.IDENTITY)
        await expect(settings.get_by_text("@ana is linked.")).to_be_visible()
        await settings.get_by_role("button", name="Unlink @ana").click()
        await home.get_by_role("alertdialog").get_by_role("button", name="Unlink @ana").click()

        await stage.got("DELETE /identities/idn_1")

    async def test_a_pairing_shows_whose_account_it_is_before_it_is_confirmed(self, stage, home, settings):
        asked = {"id": "lnk_1", "kind": "pairing", "channel": "telegram", "shown_as": "@mallory", "external_id": "666"}
        stage.answers["POST /identities/pairings/look-up"] = [(200, asked)]
        stage.answers["POST /identities/pairings/confirm"] = [(201, self.IDENTITY | {"shown_as": "@mallory"})]
        await settings.get_by_label("Code from the chat").fill("K7QM-2XRT")
        await settings.get_by_role("button", name="Look who it is").click()
        await expect(settings.get_by_text("@mallory on telegram asks to be you.")).to_be_visible()
        assert decisions(stage, "POST /identities/pairings/confirm") == []
        await settings.get_by_role("button", name="Yes, @mallory is mine").click()

        assert await stage.got("POST /identities/pairings/confirm") == {"code": "K7QM-2XRT"}

    async def test_somebody_decides_while_one_is_away(self, stage, home, settings):
        made = {
            "id": "dlg_1", "from_user_id": "usr_1", "from_name": "Ana", "to_user_id": "usr_2", "to_name": "Ben",
            "risks": ["write"], "actions": None, "note": None, "starts_at": now().isoformat(),
            "ends_at": (now() + timedelta(days=1)).isoformat(), "created_at": now().isoformat(), "revoked_at": None,
        }  # fmt: skip
        stage.answers["POST /delegations"] = [(201, made)]
        stage.answers["POST /delegations/dlg_1/revoke"] = [(200, made | {"revoked_at": now().isoformat()})]
        await expect(settings.get_by_label("Who decides for you").locator("option")).to_have_text(["Ben"])
        await settings.get_by_label("Only what").select_option("writes")
        await settings.get_by_role("button", name="Let them decide").click()
        sent = await stage.got("POST /delegations")
        await expect(settings.get_by_text("Ben decides for Ana until")).to_be_visible()
        await settings.get_by_role("button", name="End: Ben decides for Ana").click()

        await expect(settings.get_by_text("(over)")).to_be_visible()
        assert (sent["to_user_id"], sent["risks"]) == ("usr_2", ["write"])

    async def test_what_was_always_allowed_is_listed_and_ended(self, stage, home, settings):
        await expect(settings.get_by_text('title: exactly "Buy milk"')).to_be_visible()
        await settings.get_by_role("button", name="End: tasks.delete for Ana").click()
        await home.get_by_role("alertdialog").get_by_role("button", name="End it").click()

        await stage.got("POST /grants/grt_1/revoke")
        await expect(settings.locator("[data-grant=grt_1]")).to_contain_text("over")
