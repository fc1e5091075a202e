"""The stubs of memory's activities and their bodies are the same."""

import inspect
from typing import Any, get_type_hints

from temporalio import activity

from workers.memory.check import Checker
from workers.memory.writer import Writer
from workflows import memory_activities


def named(owner: Any) -> dict[str, dict[str, Any]]:
    found = {}
    for _, member in inspect.getmembers(owner, inspect.isfunction):
        definition = activity._Definition.from_callable(member)
        if definition is not None and definition.name:
            found[definition.name] = get_type_hints(member)
    return found


class TestActivities:
    def test_stubs_and_bodies_have_the_same_names_and_types(self):
        assert named(memory_activities) == named(Writer) | named(Checker)
        assert len(named(memory_activities)) == 5
