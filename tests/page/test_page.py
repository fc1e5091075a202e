"""The page as a person uses it, in a real browser, against recorded answers."""

import pytest
from playwright.async_api import expect

from tests.page.stage import CONVERSATION, approval, call, message, turn

HOSTILE = (
    "<img src=x onerror=window.hit=1>",
    "<script>window.hit=1</script>",
    "[x](javascript:window.hit=1)",
    "![x](http://127.0.0.1:9/leak)",
    "<svg/onload=window.hit=1>",
    '"><iframe srcdoc="<script>parent.hit=1</script>">',
)


@pytest.mark.browser
class TestPage:
    async def test_the_first_visitor_creates_the_owner(self, stage, page):
        stage.needs_owner = True
        await page.reload()
        for label, text in {"One-time code": "7KQ2-M4XD", "E-mail": "ana@example.com", "Your name": "Ana"}.items():
            await page.get_by_label(label).fill(text)
        await page.get_by_label("Password").fill("a long password")
        await page.get_by_role("button", name="Create account").click()
        await page.get_by_role("heading", name="Conversations").wait_for()
        sent = await stage.got("POST /setup")

        assert (sent["code"], sent["workspace"]) == ("7KQ2-M4XD", "Home")

    async def test_a_message_is_sent_and_its_answer_streamed(self, stage, talk):
        await talk.get_by_label("Message", exact=True).fill("hello")
        await talk.keyboard.press("Enter")
        sent = await stage.got("message.send")
        await stage.happen("message.created", message=message(1, "hello", client=sent["client_message_id"]))
        await stage.happen("turn.started", turn=turn("running"))
        await stage.delta(0, "One ")
        await stage.delta(4, "two")

        await expect(talk.get_by_text("One two")).to_be_visible()
        await expect(talk.get_by_text("hello")).to_have_count(1)
        await expect(talk.get_by_role("button", name="Stop the answer")).to_be_visible()

    async def test_a_new_request_for_consent_is_shown_from_its_top_on_a_phone(self, stage, talk):
        await talk.set_viewport_size({"width": 320, "height": 568})
        await stage.happen("message.created", message=message(1, "delete the task Buy milk"))
        await stage.happen("turn.started", turn=turn("running"))
        await stage.happen("tool.proposed", call=call("awaiting approval"))
        await stage.happen("approval.requested", approval=approval())
        await stage.happen("turn.waiting", turn=turn("waiting"))
        card = talk.locator(".talk [data-approval]")
        await expect(talk.locator(".turn.waiting")).to_have_count(1)

        await expect(card.locator(".risk")).to_be_in_viewport(ratio=1)
        await expect(card.get_by_role("heading")).to_be_in_viewport(ratio=1)
        assert await talk.evaluate(
            "document.querySelector('.log').scrollHeight > document.querySelector('.log').clientHeight"
        )

    async def test_a_message_without_an_answer_is_sent_again_under_its_own_id(self, stage, talk):
        stage.drops = 1
        await talk.get_by_label("Message", exact=True).fill("once")
        await talk.keyboard.press("Enter")
        await stage.got("message.send")
        first = next(data for name, data in stage.received if name == "message.send")
        stage.received = [one for one in stage.received if one[0] != "message.send"]
        second = await stage.got("message.send")

        assert first["client_message_id"] == second["client_message_id"]

    async def test_the_button_says_what_it_does_and_quotes_the_digest(self, stage, talk):
        await stage.happen("message.created", message=message(1, "delete it"))
        await stage.happen("turn.started", turn=turn("running"))
        await stage.happen("tool.proposed", call=call("awaiting approval"))
        await stage.happen("approval.requested", approval=approval())
        await talk.get_by_label("Reason (the assistant is told)").fill("fine")
        await talk.get_by_role("button", name="Delete the task Buy milk").click()
        sent = await stage.got("POST /approvals/apr_1/decision")

        await expect(talk.get_by_text("Approved by Ana: fine")).to_be_visible()
        assert (sent["verdict"], sent["digest"]) == ("approve", approval()["digest"])

    async def test_arguments_must_be_opened_before_they_are_approved(self, stage, talk):
        padded = approval(arguments={"note": "line\n" * 10_000 + "the end \u202e"})
        await stage.happen("message.created", message=message(1, "delete it"))
        await stage.happen("turn.started", turn=turn("running"))
        await stage.happen("tool.proposed", call=call("awaiting approval"))
        await stage.happen("approval.requested", approval=padded)
        yes = talk.get_by_role("button", name="Delete the task Buy milk")
        await expect(talk.get_by_text("[U+....]")).to_be_visible()

        await expect(yes).to_be_disabled()
        await talk.get_by_role("button", name="more characters").click()
        await expect(yes).to_be_enabled()

    async def test_hostile_text_is_only_text(self, stage, talk):
        asked = []
        talk.on("request", lambda request: asked.append(request.url))
        text = "\n".join(HOSTILE)
        await stage.happen("message.created", message=message(1, text))
        await stage.happen("turn.started", turn=turn("running"))
        await stage.happen(
            "tool.proposed", call=call("failed", arguments={text: text}, detail=text, result={"a": text})
        )
        await stage.happen("conversation.updated", stream="mbr_1", conversation=CONVERSATION | {"title": text})
        hostile = approval(title=text, reason=text, arguments={text: text}, action=text)
        await stage.happen("approval.requested", approval=hostile)
        await expect(talk.get_by_text("<svg/onload").first).to_be_visible()

        assert await talk.evaluate("window.hit") is None
        assert await talk.locator("main img, main script, main iframe, main svg, main a").count() == 0
        assert [url for url in asked if not url.startswith(stage.url)] == []

    async def test_what_memory_gave_opens_to_its_texts(self, stage, talk):
        item = {"score": 0.1, "reason": "alike in meaning", "conversation_id": "cnv_1", "page": None, "name": None}
        fact = item | {"kind": "fact", "id": "fct_1"}
        document = item | {"kind": "document", "id": "chk_1", "page": 3, "name": "doc.md"}
        recall = {"turn_id": "trn_1", "state": "done", "reason": None, "took_ms": 9, "items": [fact, document]}
        texts = [fact | {"text": "Likes <b>oat</b> milk", "text_cut": False}, document | {"text": None}]
        stage.recalls["trn_1"] = recall | {"items": texts}
        await stage.happen("message.created", message=message(1, "which milk"))
        await stage.happen("turn.started", turn=turn("running"))
        await stage.happen("recall.done", recall=recall)
        await talk.get_by_text("From memory: 1 fact, doc.md p. 3").click()

        await expect(talk.get_by_text("Likes <b>oat</b> milk")).to_be_visible()
        await expect(talk.get_by_text("Forgotten since, or not yours to see.")).to_be_visible()

    async def test_a_suggestion_is_sent_and_a_draft_is_kept(self, stage, talk):
        reply = message(2, "Done.", "assistant")
        await stage.happen("message.created", message=message(1, "add milk"))
        await stage.happen("turn.started", turn=turn("running"))
        await stage.happen("turn.finished", turn=turn("finished"), message=reply)
        await stage.happen("message.updated", message=reply | {"suggestions": ["What is on the list?"]})
        await talk.get_by_label("Message", exact=True).fill("a draft")
        await talk.get_by_role("button", name="What is on the list?").click()
        sent = await stage.got("message.send")

        assert sent["text"] == "What is on the list?"
        await expect(talk.get_by_label("Message", exact=True)).to_have_value("a draft")
        await expect(talk.get_by_role("button", name="What is on the list?")).to_have_count(0)

    async def test_an_edit_says_what_stays_done_and_shows_the_new_version(self, stage, talk):
        await stage.happen("message.created", message=message(1, "add milk"))
        stage.already_done = [{"tool_call_id": "cal_1", "action": "tasks.create", "state": "done"}]
        await talk.get_by_role("button", name="Edit").click()
        await talk.get_by_label("Say it otherwise").fill("add bread")
        await talk.get_by_role("button", name="Send the new version").click()
        sent = await stage.got("POST /messages/msg_1/edit")
        await expect(talk.get_by_text("tasks.create (done)")).to_be_visible()
        self.fork(stage)
        await stage.happen("conversation.updated", conversation=CONVERSATION | {"active_branch_id": "brn_1"})
        await expect(talk.get_by_text("add bread")).to_be_visible()
        await expect(talk.get_by_text("add milk")).to_have_count(0)
        await expect(talk.get_by_text("2 of 2")).to_be_visible()
        await expect(talk.get_by_role("log")).to_be_focused()
        await expect(talk.get_by_role("button", name="Next version")).to_be_disabled()
        await talk.get_by_role("button", name="Previous version").click()

        await stage.got("POST /conversations/cnv_1/branches/trunk/activate")
        assert sent["text"] == "add bread"

    def fork(self, stage):
        """Show the version in which message 5 stands in place of message 1."""
        edited = message(5, "add bread", turn="trn_2") | {"branch_id": "brn_1", "edit_of_id": "msg_1"}
        first, second = turn("finished"), turn("running", 2, message_id="msg_5", branch_id="brn_1")
        stage.active_branch = "brn_1"
        stage.messages, stage.turns = [edited], [second, first]
        stage.branches = [{"id": "brn_1", "parent_id": None, "replaces_turn_id": "trn_1"}]
        original = {"branch_id": None, "active": False, "message": message(1, "add milk"), "turn": first}
        stage.versions = [original, {"branch_id": "brn_1", "active": True, "message": edited, "turn": second}]

    async def test_consent_that_another_version_asks_for_can_be_given_in_the_inbox(self, stage, talk):
        self.fork(stage)
        stage.calls, stage.approvals = [call("awaiting approval")], [approval()]
        await talk.reload()
        await expect(talk.get_by_text("2 of 2")).to_be_visible()

        await expect(talk.locator("aside").get_by_role("button", name="Delete the task Buy milk")).to_be_enabled()

    async def test_an_answer_is_made_anew(self, stage, talk):
        await stage.happen("message.created", message=message(1, "hello"))
        await stage.happen("turn.started", turn=turn("running"))
        await stage.happen("turn.finished", turn=turn("finished"), message=message(2, "Hi.", "assistant"))
        await talk.get_by_role("button", name="Regenerate").click()

        assert (await stage.got("POST /turns/trn_1/regenerate"))["client_message_id"].startswith("web-")

    async def test_an_address_opens_an_approval_in_its_conversation(self, stage, talk):
        stage.messages = [message(number, "line\n" * 20) for number in range(1, 8)]
        stage.turns = [turn("waiting", message_id="msg_2")]
        stage.calls, stage.approvals = [call("awaiting approval")], [approval()]
        await talk.goto(f"{stage.url}/?approval=apr_1")

        await expect(talk.locator(".talk [data-approval=apr_1]")).to_be_focused()
        await expect(talk.locator(".talk [data-approval=apr_1] .risk")).to_be_in_viewport()

    async def test_who_takes_no_part_sees_the_approval_alone(self, stage, talk):
        stage.strangers, stage.conversations, stage.approvals = True, [], [approval()]
        await talk.goto(f"{stage.url}/?approval=apr_1#conversation=cnv_1")
        await talk.get_by_role("button", name="Delete the task Buy milk").click()

        assert (await stage.got("POST /approvals/apr_1/decision"))["verdict"] == "approve"
        await expect(talk.locator("main").get_by_text("Approved by Ana")).to_be_visible()

    async def test_the_mode_is_chosen(self, stage, talk):
        await expect(talk.get_by_label("Mode")).to_have_value("full")
        await talk.get_by_label("Mode").select_option("Quick")

        assert await stage.got("PATCH /conversations/cnv_1") == {"mode": "quick"}

    async def test_events_that_the_page_does_not_know_are_passed_over(self, stage, talk):
        faults = []
        talk.on("pageerror", lambda problem: faults.append(str(problem)))
        await stage.happen("member.read", read={"conversation_id": "cnv_1", "user_id": "usr_2", "position": 1})
        await stage.happen("document.updated", document={"id": "doc_1", "conversation_id": "cnv_1"})
        await stage.happen("facts.changed", stream="mbr_1", fact_ids=["fct_1"])
        await stage.happen("something.new", thing={"id": "thg_1"})
        await stage.sio.emit("something.passing")
        await stage.happen("message.created", message=message(1, "after all that"))

        await expect(talk.get_by_text("after all that")).to_be_visible()
        assert faults == []

    async def test_a_lost_connection_is_told_and_mended(self, stage, talk):
        await stage.drop()
        resumed = await stage.got("conversation.resume")
        await expect(talk.get_by_text("Connected")).to_be_visible()
        await stage.happen("message.created", message=message(1, "after the gap"))

        await expect(talk.get_by_text("after the gap")).to_be_visible()
        assert resumed == {"conversation_id": "cnv_1", "epoch": "ep_1", "after_seq": 0}
