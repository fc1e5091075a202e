"""Secrets among arguments: found at any depth, masked, put back where a mask means "unchanged"."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.manifest import check_schema
from core.masking import MASK, has_mask, mask, same_masked, scrub, secret_paths, unmask

SECRET = {"type": "string", "x-secret": True}
SCHEMA = {
    "type": "object",
    "properties": {
        "host": {"type": "string"},
        "password": SECRET,
        "login": {"type": "object", "properties": {"name": {"type": "string"}, "pin": SECRET}},
        "accounts": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "token": SECRET}},
        },
        "headers": {"type": "object", "additionalProperties": SECRET},
        "either": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"key": SECRET}}]},
        "keys": {"type": "array", "prefixItems": [{"type": "string"}], "items": SECRET},
    },
}
PATHS = secret_paths(SCHEMA)
REAL: dict[str, Any] = {
    "host": "a.test",
    "password": "hunter22",
    "login": {"name": "ana", "pin": "4711"},
    "accounts": [{"name": "one", "token": "t1"}, {"name": "two", "token": "t2"}],
    "headers": {"x": "secret-x"},
    "either": {"key": "kkkk"},
    "keys": ["k1", "k2"],
}
WHOLE = [
    {"x-secret": True},
    {"allOf": [{"x-secret": True}]},
    {"properties": {"a": {}}, "anyOf": [{}, {"x-secret": True}]},
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


class TestMask:
    def test_every_secret_is_masked_and_nothing_else(self):
        assert mask(PATHS, REAL) == {
            "host": "a.test",
            "password": MASK,
            "login": {"name": "ana", "pin": MASK},
            "accounts": [{"name": "one", "token": MASK}, {"name": "two", "token": MASK}],
            "headers": {"x": MASK},
            "either": {"key": MASK},
            "keys": [MASK, MASK],
        }

    def test_what_is_not_there_stays_so(self):
        assert mask(PATHS, {"host": "a", "password": None}) == {"host": "a", "password": None}

    def test_without_secrets_arguments_are_as_they_are(self):
        assert mask(None, REAL) is REAL
        assert mask([], REAL) is REAL

    @given(JSON)
    def test_any_shape_at_a_secret_is_masked(self, value: Any):
        shown = mask(PATHS, {"password": value, "login": value, "accounts": value})

        assert shown["password"] in {MASK, None}


class TestUnmask:
    def test_what_was_shown_means_unchanged(self):
        assert unmask(PATHS, REAL, mask(PATHS, REAL)) == REAL

    def test_what_is_written_anew_counts(self):
        new = mask(PATHS, REAL) | {"password": "better", "host": "b.test"}

        assert unmask(PATHS, REAL, new) == REAL | {"password": "better", "host": "b.test"}

    def test_items_of_a_list_keep_their_own_secrets_when_others_go(self):
        new = mask(PATHS, REAL) | {"accounts": [{"name": "two", "token": MASK}]}

        assert unmask(PATHS, REAL, new)["accounts"] == [{"name": "two", "token": "t2"}]

    def test_a_mask_that_could_mean_several_is_refused(self):
        new = mask(PATHS, REAL) | {"keys": [MASK]}

        with pytest.raises(ValueError, match="not clear"):
            unmask(PATHS, REAL, new)

    def test_a_mask_where_nothing_was_is_refused(self):
        with pytest.raises(ValueError, match="there was none"):
            unmask(PATHS, {"host": "a"}, {"host": "a", "password": MASK})
        with pytest.raises(ValueError, match="not clear"):
            unmask(PATHS, {}, {"accounts": [{"name": "new", "token": MASK}]})

    def test_the_mask_elsewhere_is_a_text_as_any(self):
        assert not has_mask(PATHS, {"host": MASK})
        assert unmask(PATHS, REAL, {"host": MASK}) == {"host": MASK}


class TestScrub:
    def test_what_a_service_repeats_is_masked(self):
        told = {"url": "https://a.test/?p=hunter22", "pin": 4711, "note": "fine", "list": ["t1", "at1"]}

        assert scrub(PATHS, REAL, told) == {"url": f"https://a.test/?p={MASK}", "pin": MASK, "note": "fine"} | {
            "list": [MASK, "at1"]
        }

    def test_without_secrets_it_is_told_as_it_is(self):
        told = {"a": 1}

        assert scrub(None, REAL, told) is told


class TestSameMasked:
    def test_masked_arguments_can_be_the_real_ones(self):
        assert same_masked(mask(PATHS, REAL), REAL)
        assert not same_masked(mask(PATHS, REAL), REAL | {"host": "b"})


class TestAWhole:
    @pytest.mark.parametrize("schema", WHOLE)
    def test_what_is_secret_as_a_whole_stays_an_object(self, schema):
        assert mask(secret_paths(schema), {"a": {"b": 1}, "c": "d"}) == {"a": MASK, "c": MASK}

    @pytest.mark.parametrize("schema", WHOLE)
    def test_no_action_may_have_such_arguments(self, schema):
        whole = {"type": "object", "additionalProperties": False} | schema
        described = whole | {"properties": {"a": {"type": "string", "description": "A."}}}
        with pytest.raises(ValueError, match="as a whole"):
            check_schema(described)
