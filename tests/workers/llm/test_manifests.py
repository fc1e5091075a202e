"""The offline assistant with the manifests that ship: what a newcomer would say has to work."""

import tomllib
from pathlib import Path

import pytest

from workers.llm.offline.decide import decide
from workers.llm.offline.talk import exchanges
from workers.llm.offline.tools import Tool
from workers.llm.port import ToolSpec, UserSaid

ROOT = Path(__file__).resolve().parents[3] / "connectors"
LOOKED_UP = "tasks.list"
SAID = [
    ("what's on my list?", "tasks.list", {}),
    ("What is on my to-do list", "tasks.list", {}),
    ("list my tasks", "tasks.list", {}),
    ("show tasks", "tasks.list", {}),
    ("what do I have to do?", "tasks.list", {}),
    ("show my open tasks", "tasks.list", {"state": "open"}),
    ("list completed tasks", "tasks.list", {"state": "done"}),
    ("which tasks are open?", "tasks.list", {"state": "open"}),
    ("find tasks about milk", "tasks.list", {"title": "milk"}),
    ("add buy milk", "tasks.add", {"title": "buy milk"}),
    ("add a task: Buy milk", "tasks.add", {"title": "Buy milk"}),
    ("please add milk to my to-do list", "tasks.add", {"title": "milk"}),
    ("remind me to call Ana", "tasks.add", {"title": "call Ana"}),
    ("add a task: read the book and write to Ana", "tasks.add", {"title": "read the book and write to Ana"}),
    ("delete the task Buy milk", LOOKED_UP, {"limit": 200}),
    ("remove buy milk", LOOKED_UP, {"limit": 200}),
    ("complete buy milk", LOOKED_UP, {"limit": 200}),
    ("mark 'Buy milk' as done", LOOKED_UP, {"limit": 200}),
    ("I have finished buy milk", LOOKED_UP, {"limit": 200}),
    ("read notes.txt", "files.read", {"path": "notes.txt"}),
    ("what's in notes.txt?", "files.read", {"path": "notes.txt"}),
    ("write hello to notes.txt", "files.write", {"content": "hello", "path": "notes.txt"}),
    ("create the file a.txt with hello", "files.write", {"content": "hello", "path": "a.txt"}),
    ("list files", "files.list", {}),
    ("list files in notes", "files.list", {"folder": "notes"}),
    ("delete the file notes.txt", "files.delete", {"path": "notes.txt"}),
    ("fetch https://example.com/a/b.html", "web.fetch", {"url": "https://example.com/a/b.html"}),
    ("what does the page https://example.com/ say?", "web.fetch", {"url": "https://example.com/"}),
    (
        "send an email to ana@example.com and ben@example.com about the plan saying It is ready",
        "email.send",
        {"to": ["ana@example.com", "ben@example.com"], "subject": "plan", "text": "It is ready"},
    ),
]


@pytest.fixture(scope="module")
def tools() -> list[Tool]:
    return [
        Tool(
            ToolSpec(
                f"{manifest['id']}.{action['name']}",
                action["description"],
                action["schema"],
                tuple(action["examples"]),
            )
        )
        for manifest in (
            tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(ROOT.glob("*/manifest.toml"))
        )
        for action in manifest["actions"]
    ]


class TestNewcomer:
    @pytest.mark.parametrize(("text", "name", "arguments"), SAID)
    def test_it_is_understood(self, tools, text, name, arguments):
        step = decide(exchanges((UserSaid(text),)), tools)

        assert [(call.name, call.arguments) for call in step.calls] == [(name, arguments)]

    def test_what_is_missing_of_a_message_is_asked_for(self, tools):
        step = decide(exchanges((UserSaid("send an email to ana@example.com about lunch"),)), tools)

        assert step.calls == ()
        assert "text" in str(step)

    def test_every_plain_example_finds_its_own_action(self, tools):
        plain = [(example, tool.name) for tool in tools for example in tool.spec.examples if "{" not in example]
        found = [(text, decide(exchanges((UserSaid(text),)), tools).calls[0].name) for text, _ in plain]

        assert found == plain

    @pytest.mark.parametrize("text", ["tell me a joke", "what is 2+2?", "buy milk", "how do I delete a task?", "show"])
    def test_what_no_action_fits_calls_nothing(self, tools, text):
        assert decide(exchanges((UserSaid(text),)), tools).calls == ()
