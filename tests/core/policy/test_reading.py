"""A policy as text: what YAML can hide is refused, each mistake is named with its place, nothing is ever run."""

import pytest
from hypothesis import given

from core.policy.reading import MOST_BYTES, BadPolicy, read_data, read_yaml, write_yaml
from tests.core.policy import written

RULE = {"name": "one", "verdict": "deny"}


class TestReadYaml:
    def test_a_policy(self):
        found = read_yaml("rules:\n- name: one\n  when: {time: {zone: UTC, from: 9:00, to: 17:00}}\n  verdict: deny\n")

        assert found.body()["rules"][0]["when"]["time"] == {"zone": "UTC", "from": "09:00", "to": "17:00"}

    @pytest.mark.parametrize("text", ["", "# nothing", "{}", "rules: []"])
    def test_nothing_is_no_rules(self, text):
        assert read_yaml(text).rules == ()

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("rules: [", "line 1"),
            ("rules: []\nrules: []", "`rules` is there twice"),
            ("rules:\n- {name: a, verdict: deny, verdict: allow}", "`verdict` is there twice"),
            ("hours: &a {}\nrotas: *a", "anchors"),
            ("rules: !!python/object/apply:os.system [id]", "tags"),
            ("rules: !x []", "tags"),
            ("<<: {rules: []}", "plain words"),
            ("? [a]\n: b", "plain words"),
            ("rules: []\n---\nrules: []", "several"),
            ("[" * 40 + "]" * 40, "nested"),
            ("[" * 4_000, "nested"),
            ("rules: [" + "1," * 25_000 + "]", "too large"),
            ("x" * (MOST_BYTES + 1), "bytes"),
            ("rules: '\x00'", "YAML"),
            ("\ud800", "YAML"),
            ("\t", "line 1"),
            ("5", "no policy"),
            ("- rules", "no policy"),
        ],
    )
    def test_what_hides_or_grows_is_refused(self, text, why):
        with pytest.raises(BadPolicy) as caught:
            read_yaml(text)

        assert why in caught.value.detail

    @written.calmly
    @given(written.documents())
    def test_reads_what_it_writes(self, document):
        assert read_yaml(write_yaml(document)).body() == document.body()


class TestReadData:
    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ({"verdict": "perhaps"}, "rule 1 (one): verdict"),
            ({"colour": "red"}, "rule 1 (one): colour"),
            ({"when": {"actoin": "x"}}, "rule 1 (one): when.actoin"),
            ({"when": {"arguments": {"a b": 1}}}, "rule 1 (one): when.arguments"),
            ({"when": {"arguments": {"amount": {"over": 1}}}}, "rule 1 (one): when.arguments.amount"),
            ({"when": {"arguments": {}}}, "rule 1 (one): when.arguments"),
            ({"when": {"role": "boss"}}, "rule 1 (one): when.role"),
            ({"when": {"role": []}}, "rule 1 (one): when.role"),
            ({"when": {"risk": None}}, "rule 1 (one): when"),
            ({"when": {"untrusted": "yes"}}, "rule 1 (one): when.untrusted"),
            ({"when": {"time": {}}}, "rule 1 (one): when.time"),
            ({"when": {"time": {"hours": "a", "zone": "UTC"}}}, "rule 1 (one): when.time"),
            ({"ask": {}}, "rule 1 (one)"),
            ({"name": ""}, "rule 1 ()"),
        ],
    )
    def test_names_the_place(self, change, where):
        with pytest.raises(BadPolicy) as caught:
            read_data({"rules": [RULE | change]})

        assert any(one["where"].startswith(where) for one in caught.value.more["problems"]), caught.value.more

    @pytest.mark.parametrize(
        "ask",
        [
            {"approvers": []},
            {"approvers": {}},
            {"approvers": "anybody"},
            {"approvers": {"team": "x"}},
            {"approvers": "requester", "all_of": ["manager"]},
            {"quorum": 2},
            {"approvers": "requester", "quorum": 0},
            {"approvers": "requester", "quorum": "2"},
            {"approvers": "requester", "quorum": 51},
            {"stages": [{}]},
            {"stages": [{"approvers": "requester"}], "approvers": "manager"},
            {"stages": [{"approvers": {"role": "owner"}, "quorum": 50}, {"approvers": "manager"}]},
            {"expires": "15d"},
            {"expires": "0h"},
            {"expires": 3600},
            {"expires": "10d", "escalate": {"to": "manager", "for": "5d", "after": "1d"}},
            {"remind": ["24h"]},
            {"expires": "1h", "remind": ["2h"]},
            {"escalate": {"to": "manager"}},
            {"escalate": {"after": "25h", "to": "manager"}},
            {"escalate": {"after": "1h", "to": []}},
            {"on_expiry": "escalate"},
            {"on_expiry": "approve"},
            {"assurance": "L4"},
            {"may_remember": "no"},
        ],
    )
    def test_refuses_a_way_of_asking_that_makes_no_sense(self, ask):
        with pytest.raises(BadPolicy):
            read_data({"rules": [{"name": "one", "verdict": "ask", "ask": ask}]})

    @pytest.mark.parametrize(
        "document",
        [
            {"rules": [RULE, RULE]},
            {"rules": [{**RULE, "name": f"r{number}"} for number in range(201)]},
            {"assurance": {"money": "L1"}},
            {"assurance": {"love": "L1"}},
            {"modes": {}},
            [],
            None,
        ],
    )
    def test_refuses_a_document_that_makes_no_sense(self, document):
        with pytest.raises(BadPolicy):
            read_data(document)
