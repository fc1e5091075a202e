"""What becomes of what MCP servers offer and ask: names, pins, schemas and forms, also of hostile ones."""

from typing import Any

import pytest
from mcp_types import ElicitRequest, ElicitRequestFormParams, Tool, ToolAnnotations

from connectors.asked import blank, is_answered
from connectors.base import (
    PermanentFailure,
)
from connectors.manifest import Effect, Risk
from connectors.mcp.forms import question_of
from connectors.mcp.manifest import name_of, offer_of, pin_of
from connectors.mcp.schema import BadSchema, arguments_schema
from core.masking import secret_paths
from tests.doubles.mcp_server import POISON


def tool(name: str = "run", schema: dict[str, Any] | None = None, **more: Any) -> Tool:
    return Tool(name=name, input_schema=schema or {"type": "object", "properties": {}}, **more)


class TestATool:
    def test_is_never_trusted_to_only_read(self):
        (one,) = offer_of("desk", "Desk", [tool(annotations=ToolAnnotations(read_only_hint=True))]).manifest.actions

        assert (one.risk, one.effect, one.untrusted) == (Risk.WRITE, Effect.AT_MOST_ONCE, True)

    def test_destroys_unless_it_denies_that(self):
        (one,) = offer_of("desk", "Desk", [tool()]).manifest.actions

        assert one.risk is Risk.DESTRUCTIVE

    @pytest.mark.parametrize(
        ("name", "ours"),
        [
            ("get-sum", "get_sum"),
            ("getCurrentTime", "get_current_time"),
            ("a__b", "a_b"),
            ("9lives", "tool_9lives"),
            ("tasks.delete", "tasks_delete"),
            ("x" * 60, None),
        ],
    )
    def test_has_a_name_as_ours_are(self, name, ours):
        made = name_of(name, ())

        assert made == ours or (ours is None and len(made) <= 38 and "_h" in made)

    def test_that_would_be_called_as_another_gets_a_mark(self):
        offer = offer_of("desk", "Desk", [tool("add-two"), tool("add_two"), tool("Ädd")])
        names = [one.name for one in offer.manifest.actions]

        assert names[0] == "add_two"
        assert names[1].startswith("add_two_h")
        assert len(set(names)) == 3
        assert offer.pins[names[1]].tool == "add_two"

    def test_of_a_name_that_another_has_too_is_left_out(self):
        offer = offer_of("desk", "Desk", [tool("a"), tool("b"), tool("b")])

        assert [one.name for one in offer.manifest.actions] == ["a"]
        assert {one.why for one in offer.left_out} == {"the server has two tools of this name"}

    @pytest.mark.parametrize(
        "other",
        [
            tool(description="x"),
            tool(schema={"type": "object", "properties": {"a": {"type": "string"}}}),
            tool(annotations=ToolAnnotations(read_only_hint=True)),
            tool(title="x"),
            tool(output_schema={"type": "object"}),
        ],
    )
    def test_is_pinned_to_all_that_was_said_of_it(self, other):
        assert pin_of(tool()) != pin_of(other)

    def test_that_gives_orders_is_pointed_out_and_its_hidden_characters_are_shown(self):
        offer = offer_of("desk", "Desk", [tool(description=f"Adds.\u200b {POISON}")])

        assert len(offer.warnings) == 2
        assert "[U+200B]" in offer.manifest.actions[0].description

    def test_none_of_which_can_be_used_is_no_offer(self):
        with pytest.raises(ValueError, match="no tool"):
            offer_of("desk", "Desk", [tool(schema={"type": "object", "properties": {"a": 1}})])


class TestASchema:
    def test_keeps_what_is_quick_to_check_and_no_patterns(self):
        given = {
            "type": "object",
            "properties": {"a": {"type": "string", "pattern": "(a+)+$", "maxLength": 3}},
            "required": ["a", "gone"],
            "additionalProperties": True,
            "patternProperties": {"(a+)+$": {}},
        }

        assert arguments_schema(given) == {
            "type": "object",
            "properties": {"a": {"description": "a", "type": "string", "maxLength": 3}},
            "required": ["a"],
            "additionalProperties": False,
        }

    def test_has_references_within_it_put_in_their_place(self):
        given = {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/n%65st"}},
            "$defs": {"nest": {"type": "object", "properties": {"in": {"$ref": "#/$defs/nest"}}}},
        }

        assert arguments_schema(given)["properties"]["a"]["properties"]["in"] == {}

    @pytest.mark.parametrize(
        "part",
        [
            {"$ref": "https://evil.example/s.json"},
            {"$ref": "file:///etc/passwd"},
            {"$ref": "#/nowhere"},
            {"type": "object", "properties": {str(n): {} for n in range(700)}},
            {"type": "nonsense"},
            5,
        ],
    )
    def test_that_cannot_be_taken_is_refused(self, part):
        with pytest.raises(BadSchema):
            arguments_schema({"type": "object", "properties": {"a": part}})

    def test_too_deep_or_too_wide_by_references_is_refused(self):
        wide = {str(n): {"$ref": "#/$defs/b"} for n in range(40)}
        given = {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"properties": wide}, "b": {"properties": {str(n): {} for n in range(40)}}},
        }
        with pytest.raises(BadSchema):
            arguments_schema(given)

    def test_a_server_hides_nothing_from_people(self):
        note = {"type": "string", "x-secret": True, "title": "token", "description": "a password"}
        offer = offer_of("desk", "Desk", [tool(schema={"type": "object", "properties": {"note": note}})])

        assert offer.manifest.actions[0].secrets == []

    @pytest.mark.parametrize("schema", [{"x-secret": True}, {"properties": {"to": {"x-secret": True}}}])
    def test_that_a_servers_word_on_secrets_was_dropped_is_said(self, schema):
        offer = offer_of("desk", "Desk", [tool(schema={"type": "object", **schema})])

        assert offer.warnings == ("run: the server calls arguments secret; its word was dropped, people see them.",)

    @pytest.mark.parametrize("name", ["", "  "])
    def test_an_argument_has_a_name(self, name):
        with pytest.raises(BadSchema, match="no name"):
            arguments_schema({"type": "object", "properties": {"a": {"type": "object", "properties": {name: {}}}}})

    def test_what_has_the_name_of_a_secret_is_one(self):
        inner = {"type": "object", "properties": {"password": {"type": ["string", "null"]}}}
        properties = {"api_key": {"$ref": "#/$defs/key"}, "max_tokens": {"type": "integer"}, "login": inner}
        given = {"type": "object", "properties": properties, "$defs": {"key": {"type": "string"}}}

        assert secret_paths(arguments_schema(given)) == [["api_key"], ["login", "password"]]


class TestAForm:
    def form(self, **properties: Any) -> dict[str, Any]:
        schema = {"type": "object", "properties": properties, "required": list(properties)}
        request = ElicitRequest(params=ElicitRequestFormParams(message="?", requested_schema=schema))
        return question_of("k", request, "Desk").schema_

    def test_is_made_anew_of_known_words(self):
        made = self.form(a={"type": "string", "pattern": "(a+)+$", "title": "A", "$ref": "x", "minLength": 2})

        assert made["properties"]["a"] == {"type": "string", "description": "A", "minLength": 2, "maxLength": 4000}

    @pytest.mark.parametrize("name", ["password", "apiKey", "PIN", "secret_word"])
    def test_masks_what_looks_like_a_secret(self, name):
        assert self.form(**{name: {"type": "string"}})["properties"][name]["x-secret"] is True

    @pytest.mark.parametrize("part", [{"type": "object"}, {}, 5, {"type": ["string", "null"]}])
    def test_that_is_not_flat_is_refused(self, part):
        with pytest.raises(PermanentFailure):
            self.form(a=part)

    def test_begins_with_its_defaults_and_with_yes_where_only_yes_or_no_is_asked(self):
        assert blank(self.form(a={"type": "string", "default": "x"}, b={"type": "string"})) == {"a": "x"}
        assert blank(self.form(sure={"type": "boolean"})) == {"sure": True}
        assert blank(self.form(sure={"type": "boolean", "default": False})) == {"sure": False}
        assert is_answered(self.form(sure={"type": "boolean"}), {"sure": True})
        assert not is_answered(self.form(a={"type": "string"}), {})
