"""Arguments are checked before anything sees them; errors name the argument and never quote its value."""

import pytest

from connectors.arguments import MAX_BYTES, BadArguments

DEEP: list = []
for _ in range(50_000):
    DEEP = [DEEP]

REFUSED = {
    "missing": ({}, "title", "is missing"),
    "unknown": ({"title": "a", "colour": "red"}, "colour", "is not known"),
    "wrong type": ({"title": 3}, "title", "must be of type string"),
    "null": ({"title": None}, "title", "must be of type string"),
    "empty": ({"title": ""}, "title", "must not be empty"),
    "blank": ({"title": " \n"}, "title", "must not be blank"),
    "too long": ({"title": "x" * 501}, "title", "at most 500"),
    "NUL": ({"title": "a\x00b"}, "title", "NUL"),
    "lone surrogate": ({"title": "a\ud800b"}, "title", "surrogates"),
    "unsafe name": ({"title": "a", "b\ud800": 1}, "arguments", "name"),
    "no text for a name": ({"title": "a", 3: 1}, "arguments", "name"),
    "deep": ({"title": DEEP}, "title", "deeper"),
    "many": ({"title": [0] * 10_000}, "arguments", "5000"),
    "large": ({"title": "x" * (MAX_BYTES + 1)}, "arguments", "larger"),
    "NaN": ({"title": float("nan")}, "title", "finite"),
    "infinite": ({"title": float("inf")}, "title", "finite"),
    "large number": ({"title": 2**53}, "title", "2^53"),
    "not JSON": ({"title": b"bytes"}, "title", "JSON"),
    "list": (["title"], "arguments", "object"),
    "text": ("title", "arguments", "object"),
    "nothing": (None, "arguments", "object"),
}


class TestArguments:
    @pytest.mark.parametrize("case", REFUSED)
    def test_what_does_not_fit_is_refused(self, registry, case):
        arguments, name, why = REFUSED[case]

        with pytest.raises(BadArguments) as caught:
            registry.action("tasks.add").check(arguments)

        (error,) = [one for one in caught.value.more["errors"] if one["argument"].startswith(name)]
        assert why in error["why"]
        assert len(caught.value.detail) < 300

    def test_what_fits_is_given_back(self, registry):
        arguments = {"title": "Buy milk 🥛"}

        assert registry.action("tasks.add").check(arguments) == arguments

    def test_a_wrong_choice_names_the_choices(self, registry):
        with pytest.raises(BadArguments, match="must be one of all, open, done"):
            registry.action("tasks.list").check({"state": "secret value"})

    def test_a_number_out_of_range_names_the_range(self, registry):
        with pytest.raises(BadArguments, match="at most 200"):
            registry.action("tasks.list").check({"limit": 201})

    def test_the_value_is_not_told(self, registry):
        with pytest.raises(BadArguments) as caught:
            registry.action("tasks.list").check({"state": "hunter2", "limit": "hunter2"})

        assert "hunter2" not in caught.value.detail

    def test_true_is_no_number(self, registry):
        with pytest.raises(BadArguments, match="integer"):
            registry.action("tasks.list").check({"limit": True})
