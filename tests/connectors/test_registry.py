"""The registry knows every action by its full name, once."""

import json

import pytest

from connectors.manifest import BadManifest, parse_manifest
from connectors.registry import BoundAction, Registry, UnknownAction
from connectors.tasks.connector import TasksConnector

REFERS = """
id = "odd"
version = "1.0.0"
title = "Odd"
description = "Odd."

[[actions]]
name = "go"
version = 1
title = "Go"
description = "Goes."
risk = "write"
effect = "at_most_once"
timeout_s = 5
max_concurrency = 1
examples = ["go {id}"]

[actions.schema]
type = "object"
additionalProperties = false

[actions.schema.properties.id]
type = "string"
description = "Id."
x-resolve = { action = "TARGET", match = "title", value = "id" }
"""


class Odd(TasksConnector):
    def __init__(self, target):
        self.manifest = parse_manifest(REFERS.replace("TARGET", target), "odd")


class TestRegistry:
    def test_it_gives_actions_by_their_full_name(self, registry):
        action = registry.action("tasks.delete")

        assert (action.name, action.spec.name, action.connector.manifest.id) == ("tasks.delete", "delete", "tasks")
        assert [one.name for one in registry.actions()][:2] == ["tasks.list", "tasks.add"]
        assert registry.timeouts()["files.read"] == 20

    @pytest.mark.parametrize(
        "name", ["", "tasks", "delete", "tasks.", "tasks.delete.now", "TASKS.delete", "a" * 100_000]
    )
    def test_other_names_are_not_found(self, registry, name):
        with pytest.raises(UnknownAction) as caught:
            registry.action(name)

        assert (caught.value.status, len(caught.value.detail) < 100) == (404, True)

    def test_two_of_one_name_are_refused(self, database):
        with pytest.raises(BadManifest, match="called tasks"):
            Registry.load([TasksConnector(database), TasksConnector(database)])

    @pytest.mark.parametrize("target", ["tasks.nothing", "tasks.delete", "odd.go"])
    def test_a_reference_leads_to_an_action_that_reads(self, database, target):
        with pytest.raises(BadManifest, match=r"odd\.go"):
            Registry.load([TasksConnector(database), Odd(target)])

    def test_a_good_reference_is_kept(self, database):
        registry = Registry.load([TasksConnector(database), Odd("tasks.list")])

        assert registry.action("odd.go").spec.references["id"]["action"] == "tasks.list"

    def test_it_describes_itself_as_json(self, registry):
        shown = json.loads(json.dumps(registry.describe()))

        tasks = next(one for one in shown if one["id"] == "tasks")
        actions = {one["name"]: one for one in tasks["actions"]}
        assert set(tasks) == {"id", "version", "title", "description", "origin", "actions"}
        assert actions["tasks.add"]["policy"]["verdict"] == "allow"
        policy = actions["tasks.delete"]["policy"]
        assert (policy["verdict"], policy["rule"]) == ("ask", "destructive actions ask an owner")
        assert policy["asking"]["stages"][0]["needs"][0]["party"]["roles"] == ["owner"]
        assert actions["tasks.add"]["schema"]["required"] == ["title"]
        assert actions["tasks.add"]["examples"]


class TestSchemaDigest:
    def test_it_is_the_same_each_time(self, registry, database):
        again = BoundAction(TasksConnector(database), TasksConnector.manifest.action("add"))

        assert registry.action("tasks.add").schema_digest == again.schema_digest

    def test_no_two_actions_share_one(self, registry):
        digests = [action.schema_digest for action in registry.actions()]

        assert len(set(digests)) == len(digests)

    @pytest.mark.parametrize(
        "change",
        [
            {"version": 2},
            {"risk": "destructive", "allow_reason": None},
            {"effect": "at_most_once"},
            {"schema_": {"type": "object", "additionalProperties": False}},
        ],
    )
    def test_it_changes_with_what_consent_relies_on(self, registry, change):
        action = registry.action("tasks.add")
        changed = BoundAction(action.connector, action.spec.model_copy(update=_parsed(action, change)))

        assert changed.schema_digest != action.schema_digest


def _parsed(action, change):
    """Give the changed members as the manifest would have read them."""
    given = {**action.spec.model_dump(), **change, "examples": ("go",)}
    return dict(type(action.spec).model_validate(given))
