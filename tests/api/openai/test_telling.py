"""What was told cannot be unsaid: a text that turns out otherwise is said anew, and that is said."""

from typing import Any

from api.openai.telling import BEGAN_AGAIN, Telling, notice_of
from core.clock import now
from core.views import ApprovalView, PreviewView


class TestTelling:
    def test_only_what_is_new_is_told(self):
        telling = Telling()

        assert [telling.go_on(text) for text in ("Hel", "Hello", "Hello", "Hello!")] == ["Hel", "lo", "", "!"]

    def test_a_restart_that_says_the_same_is_not_heard(self):
        telling = Telling()
        told = [telling.go_on(text) for text in ("Hello th", "", "Hel", "Hello there")]

        assert told == ["Hello th", "", "", "ere"]

    def test_a_restart_that_says_something_else_says_so(self):
        telling = Telling()
        told = [telling.go_on(text) for text in ("Hello", "Hel", "Help is here")]

        assert told == ["Hello", "", f"{BEGAN_AGAIN}Help is here"]

    def test_an_end_that_is_shorter_is_said_anew(self):
        telling = Telling()
        telling.go_on("Hello there")

        assert telling.go_on("Hello", is_final=True) == f"{BEGAN_AGAIN}Hello"

    def test_a_notice_stands_apart_from_the_text(self):
        telling = Telling()
        told = [telling.go_on("I ask."), telling.put_in("Consent?"), telling.go_on("I ask.\n\nDone.")]

        assert told == ["I ask.", "\n\nConsent?", "\n\nDone."]
        assert telling.whole == "I ask.\n\nConsent?\n\nDone."


class TestNotice:
    def test_what_arguments_shaped_loads_and_leads_nowhere(self):
        shaped: dict[str, Any] = {
            "id": "apr_1",
            "conversation_id": "cnv_1",
            "action": "mail.send",
            "title": "Send `![x](http://evil.test/a.png)`",
            "preview": PreviewView(summary="To\nboss\u202e" + "y" * 600),
            "expires_at": now(),
        }
        approval = ApprovalView.model_construct(**shaped)
        told = notice_of(approval, "https://assent.test")

        assert "`Send '![x](http://evil.test/a.png)'`" in told
        assert "`To boss[U+202E]yyy" in told
        assert "y" * 501 not in told
        assert "https://assent.test/?approval=apr_1#conversation=cnv_1" in told
