"""Suggestions without a model: examples of what goes with the actions that just ran."""

from pathlib import Path
from typing import Any

import pytest

from connectors.registry import Registry, native_connectors
from core.tables.work import ToolCall
from workers.reflecting.follow_ups import MOST, follow_ups


@pytest.fixture
def registry(sqlite_database, tmp_path: Path) -> Registry:
    return Registry.load(native_connectors(sqlite_database, tmp_path))


def call(action: str, state: str = "done", **arguments: object) -> ToolCall:
    known: dict[str, Any] = {"action": action, "state": state, "arguments": arguments}
    return ToolCall(**known)


class TestFollowUps:
    def test_after_an_action_come_the_others_of_its_service_filled(self, registry):
        found = follow_ups(registry, "add a task Buy milk", "Done.", [call("tasks.add", title="Buy milk")])

        assert found == ("list my tasks", "complete the task Buy milk")

    def test_nothing_that_destroys_is_offered(self, registry):
        for action in ("tasks.add", "tasks.list", "tasks.complete"):
            found = follow_ups(registry, "x", "Done.", [call(action, title="Buy milk")])

            assert not any("delete" in one or "remove" in one for one in found)

    def test_without_an_action_something_of_each_service(self, registry):
        found = follow_ups(registry, "hello", "You can ask me.", [call("tasks.add", state="failed", title="x")])

        assert found[0] == "list my tasks"
        assert 1 < len(found) <= MOST

    def test_a_question_is_to_be_answered(self, registry):
        assert follow_ups(registry, "delete a task", "Which task do you mean?", []) == ()

    def test_what_was_just_said_is_not_offered(self, registry):
        assert "list my tasks" not in follow_ups(registry, "List my tasks", "None.", [])

    @pytest.mark.parametrize("title", ["a\nb", "hid\u202eden", "https://x.test", "WWW.x.test", "x" * 61, 5])
    def test_odd_values_fill_nothing(self, registry, title):
        assert follow_ups(registry, "x", "Done.", [call("tasks.add", title=title)]) == ("list my tasks",)
