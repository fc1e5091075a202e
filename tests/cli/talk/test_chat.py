"""`assent chat` against a server of recorded answers."""

import asyncio
import json
from typing import Any

import pytest

from cli.talk.chat import chat
from cli.talk.keyboard import Typed
from cli.talk.screen import Screen
from cli.talk.server import open_server
from cli.talk.teller import Teller
from core import events
from core.errors import AssentError
from core.views import MessageView, TurnView
from tests.page.stage import CONVERSATION, approval, call, message, turn

LIMIT = 30


class TestChat:
    @pytest.fixture
    async def talk(self, stage, signed_in, screen):
        """Say something; gives the exit code, once the chat has ended, and the screen."""
        stage.conversations = [CONVERSATION]

        async def say(text: str = "hi", *, as_json: bool = False, wait: bool = False):
            made = screen(as_json=as_json)
            async with asyncio.timeout(LIMIT), open_server(signed_in(stage.url)) as server:
                return await chat(server, made, text, None, new=False, wait=wait), made

        return say

    async def test_the_last_message_is_edited_and_answered_anew(self, stage, signed_in, screen, monkeypatch):
        stage.conversations = [CONVERSATION]
        typed: asyncio.Queue[Any] = asyncio.Queue()
        monkeypatch.setattr("cli.talk.chat.read_lines", typed.put_nowait)
        async with asyncio.timeout(LIMIT), open_server(signed_in(stage.url)) as server:
            made = screen()
            talking = asyncio.create_task(chat(server, made, None, None, new=False, wait=False))
            put = await typed.get()
            put(Typed("/edit too early"))
            put(Typed("hi"))
            await stage.got("message.send")
            await stage.happen("turn.finished", turn=turn("finished"), message=message(9, "One", "assistant"))
            while "One" not in made.out.getvalue():  # the screen tells nobody
                await asyncio.sleep(0.01)
            put(Typed("/edit hello"))
            edited = await stage.got("message.edit")
            put(Typed("/regenerate"))
            anew = await stage.got("turn.regenerate")
            talking.cancel()
            await asyncio.wait([talking])

        assert "Nothing was said here yet." in made.notices.getvalue()
        assert (edited["text"], edited["message_id"]) == ("hello", "msg_1")
        assert anew["turn_id"] == "trn_1"

    async def test_an_answer_is_streamed_once(self, stage, talk):
        talking = asyncio.create_task(talk())
        await stage.got("message.send")
        await stage.delta(0, "One ")
        await stage.delta(4, "two")
        await stage.happen("turn.finished", turn=turn("finished"), message=message(9, "One two", "assistant"))
        code, screen = await talking

        assert (code, screen.out.getvalue()) == (0, "One two\n")

    @pytest.mark.parametrize("sits_there", [True, False])
    def test_what_may_be_said_next_is_offered_once_to_somebody_who_sits_there(self, screen, monkeypatch, sits_there):
        made = screen()
        monkeypatch.setattr(Screen, "interactive", sits_there)
        teller = Teller(made, "usr_1")
        reply = MessageView.model_validate(message(9, "Done.", "assistant")).model_copy(
            update={"suggestions": ("list my tasks", "hid\u202eden")}
        )
        for event in (
            events.TurnFinished(turn=TurnView.model_validate(turn("finished")), message=reply),
            events.MessageUpdated(message=reply),
        ):
            teller.tell(event)

        assert made.notices.getvalue().count("You could say: list my tasks · hid[U+202E]den") == sits_there

    async def test_hidden_characters_of_an_answer_are_written_out(self, stage, talk):
        talking = asyncio.create_task(talk())
        await stage.got("message.send")
        await stage.delta(0, "pay \u202e")
        await stage.delta(5, "eve")
        await stage.happen("turn.finished", turn=turn("finished"), message=message(9, "pay \u202eeve", "assistant"))
        _, screen = await talking

        assert screen.out.getvalue() == "pay [U+202E]eve\n"

    async def test_a_lost_piece_does_not_lose_text(self, stage, talk):
        talking = asyncio.create_task(talk())
        await stage.got("message.send")
        await stage.delta(0, "One ")
        await stage.delta(8, "three")
        await stage.happen("turn.finished", turn=turn("finished"), message=message(9, "One two three", "assistant"))
        _, screen = await talking

        assert screen.out.getvalue() == "One two three\n"

    async def test_a_restarted_answer_is_written_anew_only_where_it_differs(self, stage, talk):
        talking = asyncio.create_task(talk())
        await stage.got("message.send")
        await stage.delta(0, "One two")
        await stage.happen("turn.restarted", turn=turn("running", attempt=2), offset=0)
        await stage.happen("turn.finished", turn=turn("finished"), message=message(9, "One two three", "assistant"))
        _, screen = await talking

        assert "".join(screen.out.getvalue().split()) == "Onetwothree"

    async def test_an_unanswered_message_is_sent_again_under_its_own_id(self, stage, talk):
        stage.drops = 1
        talking = asyncio.create_task(talk())
        async with asyncio.timeout(LIMIT):
            while len([1 for name, _ in stage.received if name == "message.send"]) < 2:
                await asyncio.sleep(0.01)
        await stage.happen("turn.finished", turn=turn("finished"), message=message(9, "Once", "assistant"))
        code, _ = await talking
        first, second = (data for name, data in stage.received if name == "message.send")

        assert code == 0
        assert first["client_message_id"] == second["client_message_id"]

    async def test_where_nobody_can_be_asked_it_says_how_to_decide_and_leaves(self, stage, talk):
        talking = asyncio.create_task(talk())
        await stage.got("message.send")
        await stage.happen("tool.proposed", call=call("awaiting approval"))
        await stage.happen("approval.requested", approval=approval())
        await stage.happen("turn.waiting", turn=turn("waiting"))
        code, screen = await talking

        assert code == 0
        assert "assent approvals approve apr_1" in screen.notices.getvalue()
        assert "title: Buy milk" in screen.notices.getvalue()

    async def test_it_waits_for_others_when_told_to(self, stage, talk):
        talking = asyncio.create_task(talk(wait=True))
        await stage.got("message.send")
        await stage.happen("approval.requested", approval=approval())
        await stage.happen("turn.waiting", turn=turn("waiting"))
        closed = approval("approved", decided_by="usr_2", decided_by_name="Ben")
        await stage.happen("approval.closed", approval=closed)
        await stage.happen("tool.finished", call=call("done"))
        await stage.happen("turn.finished", turn=turn("finished"), message=message(9, "Done", "assistant"))
        code, screen = await talking

        assert (code, screen.out.getvalue()) == (0, "Done\n")
        assert "Approved by Ben" in screen.notices.getvalue()

    async def test_a_failed_turn_says_why_and_is_exit_code_1(self, stage, talk):
        talking = asyncio.create_task(talk())
        await stage.got("message.send")
        problem = {"code": "model_unavailable", "detail": "The model does not answer."}
        await stage.happen("turn.failed", turn=turn("failed", error=problem), message=None)
        code, screen = await talking

        assert code == 1
        assert "The model does not answer. (model_unavailable)" in screen.notices.getvalue()

    async def test_json_is_one_object_on_stdout(self, stage, talk):
        talking = asyncio.create_task(talk(as_json=True))
        await stage.got("message.send")
        await stage.delta(0, "One")
        await stage.happen("turn.finished", turn=turn("finished"), message=message(9, "One", "assistant"))
        _, screen = await talking
        result = json.loads(screen.out.getvalue())

        assert (result["turn"]["state"], result["message"]["text"], screen.notices.getvalue()) == (
            "finished",
            "One",
            "",
        )

    async def test_text_of_others_cannot_act_on_the_terminal(self, stage, talk):
        talking = asyncio.create_task(talk())
        await stage.got("message.send")
        await stage.delta(0, "\x1b]52;c;aGk=\x07")
        whole = message(9, "\x1b]52;c;aGk=\x07", "assistant")
        await stage.happen("turn.finished", turn=turn("finished"), message=whole)
        _, screen = await talking

        assert "\x1b" not in screen.out.getvalue()

    async def test_a_conversation_that_is_not_there_ends_it(self, stage, signed_in, screen):
        async with open_server(signed_in(stage.url)) as server:
            with pytest.raises(AssentError, match="Not there"):
                await chat(server, screen(), "hi", "cnv_9", new=False, wait=False)
