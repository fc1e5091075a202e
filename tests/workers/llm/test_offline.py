"""The offline assistant: what each way of asking comes to, over one round and over several."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import check_text
from tests.workers.llm.tools import BILLING, TASKS, TOOLS
from workers.llm.offline.assistant import OfflineAssistant
from workers.llm.port import (
    AssistantSaid,
    CallAsked,
    ChatEntry,
    ModelRequest,
    TextDelta,
    ToolAnswered,
    ToolSpec,
    UsageReported,
    UserSaid,
)

LISTED = [{"id": "tsk_1", "title": "Buy milk", "done": False}, {"id": "tsk_2", "title": "Call Ana", "done": True}]


class Talk:
    """A conversation with the assistant, whose calls `answer` answers."""

    def __init__(self, tools: tuple[ToolSpec, ...] = TOOLS + BILLING, items: list[dict[str, Any]] | None = None):
        self.tools = tools
        self.items = LISTED if items is None else items
        self.entries: list[ChatEntry] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.statuses: dict[str, tuple[str, str]] = {}
        self.edited: set[str] = set()
        self.assistant = OfflineAssistant()

    async def round(self) -> tuple[str, tuple[CallAsked, ...]]:
        first = not any(isinstance(entry, AssistantSaid) for entry in self.entries)
        request = ModelRequest("", tuple(self.entries), self.tools, first_reply=first)
        items = [item async for item in self.assistant.stream(request)]
        assert UsageReported(0, 0, "offline") == items[-1]
        text = "".join(item.text for item in items if isinstance(item, TextDelta))
        calls = tuple(item for item in items if isinstance(item, CallAsked))
        self.entries.append(AssistantSaid(text, calls))
        return text, calls

    async def say(self, text: str) -> str:
        """Say something; give the reply after all rounds. `calls` has the calls of this message alone."""
        self.entries.append(UserSaid(text))
        self.calls = []
        spoken: list[str] = []
        for _ in range(8):
            reply, calls = await self.round()
            spoken.append(reply)
            if not calls:
                return "\n\n".join(part for part in spoken if part)
            self.calls += [(call.name, call.arguments) for call in calls]
            self.entries += [self.answer(call) for call in calls]
        pytest.fail("the assistant never stops")

    def answer(self, call: CallAsked) -> ToolAnswered:
        status, content = self.statuses.get(call.name, ("done", json.dumps(self.result(call))))
        return ToolAnswered(call.call_id, call.name, content, status, edited=call.name in self.edited)

    def result(self, call: CallAsked) -> Any:
        if call.name == "tasks.list":
            return {"items": self.items, "next": None, "total": len(self.items)}
        if call.name == "files.list":
            return {"items": [{"path": "notes.txt", "size": 5}]}
        if call.name == "files.read":
            return {"path": call.arguments["path"], "content": "hello"}
        return {"id": "tsk_9", **call.arguments}


@pytest.fixture
def talk() -> Talk:
    return Talk()


ADD = "tasks.add"
LIST: tuple[str, dict[str, Any]] = ("tasks.list", {})
UTTERANCES = [
    ("what's on my list?", [LIST]),
    ("What is on my to-do list", [LIST]),
    ("list my tasks", [LIST]),
    ("show tasks", [LIST]),
    ("Show me my tasks, please", [LIST]),
    ("do I have any tasks?", [LIST]),
    ("which tasks are there", [LIST]),
    ("add buy milk", [(ADD, {"title": "buy milk"})]),
    ("Add a task: Buy milk", [(ADD, {"title": "Buy milk"})]),
    ('add "Buy milk" to my list', [(ADD, {"title": "Buy milk"})]),
    ("please add milk to my to-do list", [(ADD, {"title": "milk"})]),
    ("could you add a task called Water the plants", [(ADD, {"title": "Water the plants"})]),
    ("create a task Call Bob", [(ADD, {"title": "Call Bob"})]),
    ("new task: pay rent", [(ADD, {"title": "pay rent"})]),
    ("put eggs on my list", [(ADD, {"title": "eggs"})]),
    ("remind me to call Ana", [(ADD, {"title": "call Ana"})]),
    ("don't forget to feed the cat", [(ADD, {"title": "feed the cat"})]),
    ("add milk and eggs", [(ADD, {"title": "milk and eggs"})]),
    ("add milk and add eggs", [(ADD, {"title": "milk"}), (ADD, {"title": "eggs"})]),
    ("add a task: read the book and write to Ana", [(ADD, {"title": "read the book and write to Ana"})]),
    ("delete the task Buy milk", [LIST, ("tasks.delete", {"id": "tsk_1"})]),
    ("delete Buy milk", [LIST, ("tasks.delete", {"id": "tsk_1"})]),
    ("remove buy milk", [LIST, ("tasks.delete", {"id": "tsk_1"})]),
    ('Remove "Buy milk" from my list', [LIST, ("tasks.delete", {"id": "tsk_1"})]),
    ("get rid of buy milk", [LIST, ("tasks.delete", {"id": "tsk_1"})]),
    ("delete the milk task", [LIST, ("tasks.delete", {"id": "tsk_1"})]),
    ("delete task tsk_01HZY2K3AB", [("tasks.delete", {"id": "tsk_01HZY2K3AB"})]),
    ("delete the task notes.txt", [LIST]),
    ("complete buy milk", [LIST, ("tasks.complete", {"id": "tsk_1"})]),
    ("mark 'Buy milk' as done", [LIST, ("tasks.complete", {"id": "tsk_1"})]),
    ("I have finished buy milk", [LIST, ("tasks.complete", {"id": "tsk_1"})]),
    ("buy milk is done", [LIST, ("tasks.complete", {"id": "tsk_1"})]),
    ("tick off buy milk", [LIST, ("tasks.complete", {"id": "tsk_1"})]),
    ("read notes.txt", [("files.read", {"path": "notes.txt"})]),
    ("open notes/today.md", [("files.read", {"path": "notes/today.md"})]),
    ("what's in notes.txt?", [("files.read", {"path": "notes.txt"})]),
    ("show me notes.txt", [("files.read", {"path": "notes.txt"})]),
    ("write hello to notes.txt", [("files.write", {"content": "hello", "path": "notes.txt"})]),
    ('write "hello there" to the file a.txt', [("files.write", {"content": "hello there", "path": "a.txt"})]),
    ("save hello world in notes.txt", [("files.write", {"content": "hello world", "path": "notes.txt"})]),
    ("list files", [("files.list", {})]),
    ("what files are there?", [("files.list", {})]),
    ("delete the file notes.txt", [("files.delete", {"path": "notes.txt"})]),
    ("delete notes.txt", [("files.delete", {"path": "notes.txt"})]),
    ("refund order 1234 with 12.50", [("billing.refund_order", {"order": "1234", "amount": 12.5})]),
    ("search invoices of Ana", [("billing.search_invoices", {"query": "Ana"})]),
    ('find invoices for "Ana Li"', [("billing.search_invoices", {"query": "Ana Li"})]),
    # Nothing is called for these.
    ("hello", []),
    ("help", []),
    ("thanks", []),
    ("what is the weather in Paris?", []),
    ("what is 2+2?", []),
    ("tell me a joke", []),
    ("how do I delete a task?", []),
    ("don't delete buy milk", []),
    ("do not add anything", []),
    ("make me a sandwich", []),
    ("buy milk", []),
    ("delete", []),
    ("delete all tasks", []),
    ("", []),
    ("🤷", []),
    ("я хочу молоко", []),
]


class TestUtterance:
    @pytest.mark.parametrize(("text", "calls"), UTTERANCES)
    async def test_it_calls_what_was_asked_for(self, talk, text, calls):
        reply = await talk.say(text)

        assert calls == talk.calls
        assert reply.strip()


class TestHonesty:
    async def test_the_first_reply_says_what_it_is_and_how_to_get_a_model(self, talk):
        reply = await talk.say("list my tasks")

        assert reply.startswith("I am the built-in offline assistant")
        assert "ASSENT_MODEL_BASE_URL" in reply
        assert "ASSENT_MODEL_NAME" in reply
        assert "ASSENT_MODEL" not in await talk.say("list my tasks")

    async def test_what_it_does_not_understand_it_says_with_what_it_can(self, talk):
        await talk.say("hello")
        reply = await talk.say("what is the capital of France?")

        assert "I did not find an action that fits this" in reply
        assert "list my tasks" in reply

    async def test_health_says_that_there_is_no_language_model(self):
        assistant = OfflineAssistant()

        assert "without a language model" in await assistant.ping()
        assert (assistant.name, assistant.offline) == ("offline assistant", True)

    async def test_without_services_it_can_do_nothing(self):
        assert "nothing that I can do" in await Talk(tools=()).say("list my tasks")


class TestResult:
    async def test_a_list_is_shown_line_by_line(self, talk):
        assert (await talk.say("list my tasks")).endswith("2 tasks:\n1. Buy milk\n2. Call Ana (done)")

    async def test_an_empty_list_is_said_to_be_empty(self):
        assert (await Talk(items=[]).say("list my tasks")).endswith("There are no tasks.")

    async def test_what_was_added_and_deleted_is_named(self, talk):
        assert (await talk.say("add buy bread")).endswith('Added the task "buy bread".')
        assert await talk.say("delete buy milk") == 'Deleted the task "Buy milk".'
        assert await talk.say("mark Call Ana as done") == 'Completed the task "Call Ana".'

    async def test_a_file_is_shown(self, talk):
        assert (await talk.say("read notes.txt")).endswith('"notes.txt" says:\n\nhello')
        assert await talk.say("write hi to notes.txt") == 'Wrote the file "notes.txt".'

    @pytest.mark.parametrize(
        ("status", "content", "said"),
        [
            ("rejected", "not now", "was rejected, so nothing was done. Reason: not now"),
            ("rejected", "rejected", "was rejected, so nothing was done."),
            ("expired", "expired", "Nobody approved the request to delete the task"),
            ("denied", "viewers may not", "is not allowed, so nothing was done. Reason: viewers may not"),
            ("failed", '{"error": "disk full"}', "failed. Reason: disk full"),
            ("unknown", "no answer came", "I do not know whether the request to delete the task"),
            ("not run", "the turn was stopped", "was not run. Reason: the turn was stopped"),
            ("awaiting approval", "awaiting approval", "waits for approval."),
        ],
    )
    async def test_what_was_not_done_is_said_so(self, talk, status, content, said):
        talk.statuses["tasks.delete"] = (status, content)
        reply = await talk.say("delete buy milk")

        assert said in reply
        assert '"Buy milk"' in reply
        assert "Deleted" not in reply

    async def test_a_lookup_that_failed_is_said_so(self, talk):
        talk.statuses["tasks.list"] = ("failed", "the database is down")

        assert "failed. Reason: the database is down" in await talk.say("delete buy milk")
        assert talk.calls == [LIST]

    async def test_that_a_person_changed_the_arguments_is_said(self, talk):
        talk.edited = {"tasks.add"}

        assert "A person changed the arguments" in await talk.say("add buy milk to my tasks")

    async def test_what_a_person_changed_is_not_asked_for_anew(self, talk):
        changed = CallAsked("1", "tasks.add", {"title": "Buy oats"})
        answer = ToolAnswered("1", "tasks.add", json.dumps(talk.result(changed)), "done", edited=True)
        talk.entries = [UserSaid("add the task Buy milk"), AssistantSaid("", (changed,)), answer]

        text, calls = await talk.round()

        assert calls == ()
        assert "Buy oats" in text

    async def test_two_requests_have_two_results(self, talk):
        reply = await talk.say("add milk and add eggs")

        assert 'Added the task "milk".\n\nAdded the task "eggs".' in reply


class TestQuestion:
    async def test_a_missing_argument_is_asked_for_and_taken_from_the_answer(self, talk):
        question = await talk.say("add a task")
        await talk.say("Buy stamps")

        assert question.endswith("what is the title?")
        assert talk.calls == [(ADD, {"title": "Buy stamps"})]

    async def test_several_missing_arguments_are_asked_for_in_turn(self, talk):
        assert "order" in await talk.say("refund an order")
        assert "amount" in await talk.say("A-77")
        assert "amount" in await talk.say("a lot")
        await talk.say("12.50 euros")

        assert talk.calls == [("billing.refund_order", {"order": "A-77", "amount": 12.5})]

    async def test_a_thing_is_asked_for_by_name(self, talk):
        assert (await talk.say("delete a task")).endswith("Which task do you mean?")
        await talk.say("Call Ana")

        assert talk.calls == [LIST, ("tasks.delete", {"id": "tsk_2"})]

    async def test_a_question_can_be_called_off(self, talk):
        await talk.say("add a task")
        reply = await talk.say("never mind")

        assert (talk.calls, reply) == ([], "All right, I leave it.")

    async def test_another_request_overrules_a_question(self, talk):
        await talk.say("add a task")
        await talk.say("list my tasks")

        assert talk.calls == [LIST]

    @pytest.mark.parametrize("choice", ["the second one", "2", "Buy milk for Bo", "number 2", "the last one"])
    async def test_several_things_of_that_name_are_asked_about(self, choice):
        items = [{"id": "a", "title": "Buy milk for Ana"}, {"id": "b", "title": "Buy milk for Bo"}]
        talk = Talk(items=items)
        question = await talk.say("delete the task buy milk")
        asked = talk.calls
        await talk.say(choice)

        assert "1. Buy milk for Ana\n2. Buy milk for Bo\nWhich one do you mean?" in question
        assert asked == [LIST]
        assert talk.calls == [("tasks.delete", {"id": "b"})]

    async def test_the_very_name_wins_over_longer_ones(self):
        talk = Talk(items=[{"id": "a", "title": "Buy milk and eggs"}, {"id": "b", "title": "BUY MILK"}])
        await talk.say("delete buy milk")

        assert talk.calls[-1] == ("tasks.delete", {"id": "b"})

    async def test_a_name_that_is_not_there_is_said_so(self, talk):
        reply = await talk.say("delete the task Fly to the moon")

        assert 'I found no task called "Fly to the moon"' in reply
        assert talk.calls == [LIST]


class TestReference:
    @pytest.mark.parametrize(
        ("text", "call"),
        [
            ("complete the first one", ("tasks.complete", {"id": "tsk_1"})),
            ("delete the second task", ("tasks.delete", {"id": "tsk_2"})),
            ("delete the last one", ("tasks.delete", {"id": "tsk_2"})),
            ("delete number 1", ("tasks.delete", {"id": "tsk_1"})),
        ],
    )
    async def test_a_place_in_the_last_list_is_understood(self, talk, text, call):
        await talk.say("list my tasks")
        await talk.say(text)

        assert [call] == talk.calls

    async def test_it_is_what_was_just_added(self, talk):
        await talk.say("add buy bread")
        await talk.say("delete it")

        assert talk.calls == [("tasks.delete", {"id": "tsk_9"})]

    async def test_it_is_asked_about_when_several_were_shown(self, talk):
        await talk.say("list my tasks")
        question = await talk.say("delete it")
        await talk.say("Buy milk")

        assert "Which one do you mean?" in question
        assert talk.calls == [("tasks.delete", {"id": "tsk_1"})]

    async def test_it_is_nothing_when_nothing_was_shown(self, talk):
        assert "I do not know which task" in await talk.say("delete it")
        assert talk.calls == []


class TestDirectCommand:
    async def test_what_a_command_gave_is_phrased(self, talk):
        call = CallAsked("do", "tasks.add", {"title": "Milk"})
        talk.entries += [UserSaid('/do tasks.add title="Milk"'), AssistantSaid("", (call,)), talk.answer(call)]
        reply, calls = await talk.round()

        assert (reply, calls) == ('Added the task "Milk".', ())


class TestAnyText:
    @given(st.text(max_size=200), st.sampled_from(["", "add ", "delete the task ", "write ", "list "]))
    async def test_nothing_unsafe_is_said_and_nothing_breaks(self, text, verb):
        talk = Talk(tools=TASKS, items=[{"id": "a\x00", "title": text}])
        reply = await talk.say(verb + text)

        assert check_text(reply) == reply

    async def test_a_long_message_is_read_and_a_very_long_one_refused(self, talk):
        title = "very " * 300 + "long"
        await talk.say(f"add {title}")
        read = talk.calls
        reply = await talk.say(f"add {title * 20}")

        assert read == [(ADD, {"title": title})]
        assert "I did nothing with this one" in reply
        assert talk.calls == []
