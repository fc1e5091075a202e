"""The digest changes with anything that consent is bound to, and with nothing else."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.digest import Bound, canonical, digest_of

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
BOUND = Bound(
    workspace_id="w",
    conversation_id="c",
    turn_id="t",
    tool_call_id="k",
    action="note.send",
    schema_digest="s",
    connection_id=None,
    principal_id="p",
    arguments={"text": "hi", "more": [1, 2.5, None, {"a": True}]},
    policy_version=0,
    expires_at=AT,
    nonce="n",
)
FIRST = "686d5baf22d6db4e19b5956d31fdb08edb56f99c7e9c49018a20d0c9eacac56f"
"""As the first version of requests had it: consent given before an upgrade still holds."""
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


class TestDigest:
    def test_is_the_one_that_was_published(self):
        assert digest_of(BOUND) == digest_of(Bound.model_validate_json(BOUND.model_dump_json()))
        assert len(digest_of(BOUND)) == 64

    @pytest.mark.parametrize(
        "change",
        [
            {"version": 1},
            {"workspace_id": "x"},
            {"conversation_id": "x"},
            {"turn_id": "x"},
            {"tool_call_id": "x"},
            {"action": "note.sent"},
            {"schema_digest": "x"},
            {"connection_id": "x"},
            {"principal_id": "x"},
            {"arguments": {"text": "hi "}},
            {"policy_version": 1},
            {"expires_at": AT + timedelta(milliseconds=1)},
            {"nonce": "m"},
            {"plan": {"stages": []}},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_changes_with_each_member(self, change: dict[str, Any]):
        assert digest_of(BOUND.model_copy(update=change)) != digest_of(BOUND)

    def test_covers_every_member(self):
        assert len(Bound.model_fields) == 14

    def test_of_the_first_version_is_what_it_was(self):
        first = BOUND.model_copy(update={"version": 1})

        assert digest_of(first) == FIRST

    def test_does_not_depend_on_the_order_of_members(self):
        turned = dict(reversed(BOUND.arguments.items()))

        assert digest_of(BOUND.model_copy(update={"arguments": turned})) == digest_of(BOUND)

    @settings(max_examples=40)
    @given(
        first=st.dictionaries(st.text(max_size=4), json_values),
        second=st.dictionaries(st.text(max_size=4), json_values),
    )
    def test_is_equal_only_for_equal_arguments(self, first: dict, second: dict):
        try:
            digests = [digest_of(BOUND.model_copy(update={"arguments": one})) for one in (first, second)]
        except ValueError:
            return
        assert (digests[0] == digests[1]) == (canonical(first) == canonical(second))

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53 + 1, "\ud800", {"\ud800": 1}])
    def test_refuses_what_json_cannot_carry(self, value: Any):
        with pytest.raises(ValueError, match="cannot carry"):
            digest_of(BOUND.model_copy(update={"arguments": {"x": value}}))

    def test_of_the_same_moment_in_another_zone_is_settled_by_the_store(self):
        other = AT.astimezone(timezone(timedelta(hours=2)))

        assert digest_of(BOUND.model_copy(update={"expires_at": other.astimezone(UTC)})) == digest_of(BOUND)
