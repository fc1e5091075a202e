"""What a server asks in the middle of a call, as a chat shows it: with buttons only where yes or no is an answer."""

from typing import Any

from core.clock import now
from core.consent import Party, asks
from core.views import ApprovalView, PreviewView
from workers.delivering.prompt import Reader, write_prompt

FORM = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"], "additionalProperties": False}
SURE = {
    "type": "object",
    "properties": {"yes": {"type": "boolean"}},
    "required": ["yes"],
    "additionalProperties": False,
}


def question(schema: dict[str, Any], arguments: dict[str, Any]) -> ApprovalView:
    return ApprovalView(
        id="apr_1",
        origin="question",
        tool_call_id=None,
        turn_id="trn_1",
        conversation_id="cnv_1",
        requester_id="usr_1",
        requester_name="Ana",
        action="desk.book",
        risk="write",
        title="The server Desk asks: “When?”",
        arguments=arguments,
        preview=PreviewView(summary="The server Desk says: “When?”", warnings=("It is sent to Desk.",)),
        reason=None,
        plan=asks(Party(requester=True)),
        digest="d" * 64,
        state="pending",
        expires_at=now(),
        created_at=now(),
        decided_by=None,
        decided_by_name=None,
        decided_at=None,
        comment=None,
        arguments_schema=schema,
    )


def shown(view: ApprovalView) -> tuple[str, int]:
    message = write_prompt(view, Reader(user_id="usr_1", token="t" * 22, link="https://assent.example/a"))
    return "\n".join(str(getattr(part, "text", "")) for part in message.parts), len(message.buttons)


class TestAQuestion:
    def test_with_a_form_leads_to_the_web(self):
        text, buttons = shown(question(FORM, {}))

        assert buttons == 0
        assert "It asks for: day. This is answered on the web." in text
        assert "Decide on the web" in text

    def test_of_yes_or_no_has_its_buttons(self):
        text, buttons = shown(question(SURE, {"yes": True}))

        assert buttons == 1
        assert "In the middle of desk.book. The server Desk says: “When?”" in text
        assert "Warning: It is sent to Desk." in text
        assert "Ana asks" not in text
