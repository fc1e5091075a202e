"""Rules and the operation mode over REST: who reads, who writes, what is refused, and trying them before they hold."""

import pytest
from sqlalchemy import update

from core.clock import now
from core.ids import new_id
from core.permissions import Role
from core.tables.consent import Policy
from core.tables.identity import Group
from core.tables.people import Membership

RULES = """\
# Deleting is for owners.
rules:
- name: no deleting at night
  when: {action: tasks.delete, time: {hours: office, outside: true}}
  verdict: deny
  because: nobody is there to help
- name: deleting
  when: {action: tasks.delete}
  verdict: ask
  ask: {approvers: {role: owner}, reason_required: true, comment_required: true, expires: 2h}
hours:
  office: {zone: UTC, days: mon-fri, from: 09:00, to: 17:00}
"""
NOON, NIGHT = "2026-01-05T12:00:00Z", "2026-01-05T23:00:00Z"


@pytest.fixture
def put(ana):
    async def save(yaml: str = RULES, expected: int = 0, who=ana, **more):
        return await who.ask("PUT", "/policy", json={"yaml": yaml, "expected_version": expected, **more})

    return save


@pytest.fixture
async def approver(house, workspace_id):
    return await house.person(workspace_id, Role.APPROVER)


class TestPolicy:
    async def test_without_any_it_is_the_built_in_rules(self, ana):
        shown = (await ana.ask("GET", "/policy")).json()

        assert (shown["version"], shown["document"], shown["created_by"]) == (0, {}, None)

    async def test_what_was_written_comes_back_with_its_comments(self, ana, approver, put):
        saved = (await put(note="  First rules ")).json()
        shown = (await approver.ask("GET", "/policy")).json()

        assert saved["policy"] == shown
        assert (shown["version"], shown["yaml"], shown["note"]) == (1, RULES, "First rules")
        assert shown["document"]["rules"][1]["ask"]["expires"] == "2h"
        assert [(one["kind"], one["name"]) for one in saved["changes"]][:2] == [
            ("added", "no deleting at night"),
            ("added", "deleting"),
        ]

    async def test_json_is_taken_too_and_shown_as_yaml(self, ana):
        document = {"rules": [{"name": "a", "verdict": "deny"}]}
        await ana.ask("PUT", "/policy", json={"document": document, "expected_version": 0})

        shown = (await ana.ask("GET", "/policy")).json()
        again = await ana.ask("PUT", "/policy", json={"yaml": shown["yaml"], "expected_version": 1})

        assert (shown["document"], again.json()["policy"]["document"], again.json()["changes"]) == (
            document,
            document,
            [],
        )

    async def test_versions_are_listed_and_shown(self, ana, put):
        await put()
        await put("rules: []", 1)

        page = (await ana.ask("GET", "/policy/versions", params={"limit": 1})).json()
        following = (await ana.ask("GET", "/policy/versions", params={"cursor": page["next"]})).json()
        first = (await ana.ask("GET", "/policy/versions/1")).json()

        assert ([one["version"] for one in page["items"]], page["total"]) == ([2], 2)
        assert [one["version"] for one in following["items"]] == [1]
        assert (first["yaml"], (await ana.ask("GET", "/policy/versions/3")).status_code) == (RULES, 404)

    async def test_who_was_second_is_told(self, put):
        await put()
        late = await put("rules: []", 0)

        assert (late.status_code, late.json()["code"], late.json()["version"]) == (409, "other_version", 1)

    @pytest.mark.parametrize(
        ("yaml", "where"),
        [
            ("rules: [{name: a, verdict: maybe}]", "rule 1 (a): verdict"),
            ("rules: [{name: a, verdict: deny}, {name: b, verdict: deny}]", "rules[1]"),
            ("rules: [{name: a, verdict: ask, ask: {approvers: {group: gone}}}]", "rules[0].ask"),
            ("rules: [{name: a, verdict: ask, ask: {approvers: {role: owner}, quorum: 2}}]", "rules[0].ask"),
        ],
    )
    async def test_what_would_not_work_is_not_saved(self, ana, put, yaml, where):
        refused = await put(yaml)

        assert (refused.status_code, refused.json()["code"]) == (422, "bad_policy")
        assert refused.json()["problems"][0]["where"] == where
        assert (await ana.ask("GET", "/policy")).json()["version"] == 0

    async def test_a_dry_run_saves_nothing_and_says_it_all(self, ana, put):
        tried = (await put("rules: [{name: a, verdict: deny}, {name: b, verdict: deny}]", dry_run=True)).json()

        assert (tried["policy"], tried["problems"][0]["severity"], len(tried["changes"])) == (None, "error", 2)
        assert (await ana.ask("GET", "/policy")).json()["version"] == 0

    @pytest.mark.parametrize("body", [{}, {"yaml": "", "document": {}}, {"document": []}])
    async def test_one_of_two_forms_is_wanted(self, ana, body):
        assert (await ana.ask("PUT", "/policy", json={"expected_version": 0, **body})).status_code == 422

    async def test_members_write_and_read_nothing_approvers_read(self, bo, approver, put):
        await put()

        for who, reads in ((bo, 403), (approver, 200)):
            assert (await who.ask("GET", "/policy")).status_code == reads
            assert (await who.ask("POST", "/policy/check", json={"yaml": "rules: []"})).status_code == reads
            assert (await who.ask("POST", "/policy/diff", json={"from": 0})).status_code == reads
            assert (await put("rules: []", 1, who=who)).status_code == 403

    async def test_another_workspace_has_its_own(self, eve, put):
        await put()

        assert (await eve.ask("GET", "/policy")).json()["version"] == 0
        assert (await eve.ask("GET", "/policy/versions/1")).status_code == 404
        assert (await eve.ask("POST", "/policy/diff", json={"from": 0, "to": 1})).status_code == 404
        tried = await eve.ask("POST", "/policy/test", json={"action": "tasks.delete", "at": NIGHT})
        assert tried.json()["verdict"] == "ask"

    async def test_rules_that_cannot_be_read_can_be_replaced(self, house, put, ana):
        await put()
        async with house.database.writing() as session:
            await session.execute(update(Policy).values(body={"rules": 5}))

        assert (await put("rules: []", 1)).json()["policy"]["version"] == 2


class TestDiff:
    async def test_between_versions_and_with_a_draft(self, ana, put):
        await put()
        await put(RULES.replace("2h", "3h"), 1)

        both = (await ana.ask("POST", "/policy/diff", json={"from": 1})).json()["changes"]
        back = (await ana.ask("POST", "/policy/diff", json={"from": 2, "to": 1})).json()["changes"]
        draft = (await ana.ask("POST", "/policy/diff", json={"yaml": RULES})).json()["changes"]
        gone = (await ana.ask("POST", "/policy/diff", json={"to": 0})).json()["changes"]

        assert [one["words"] for one in both] == ["ask.expires: 2h -> 3h"]
        assert [one["words"] for one in back] == [one["words"] for one in draft] == ["ask.expires: 3h -> 2h"]
        assert {one["kind"] for one in gone} == {"removed"}


class TestCheck:
    async def test_says_what_saving_would(self, ana):
        fine = (await ana.ask("POST", "/policy/check", json={"yaml": RULES})).json()
        bad = (await ana.ask("POST", "/policy/check", json={"yaml": RULES + "extra: 1"})).json()

        assert fine == {"ok": True, "problems": []}
        assert bad["problems"] == [{"where": "extra", "message": "Extra inputs are not permitted"}]


class TestTest:
    async def test_the_verdict_the_rule_and_the_people(self, ana, bo, put):
        await put()
        body = {"user": bo.principal.user_id, "action": "tasks.delete", "arguments": {"id": "t"}, "at": NOON}

        found = (await ana.ask("POST", "/policy/test", json=body)).json()

        assert (found["verdict"], found["rule"], found["place"], found["policy_version"]) == ("ask", "deleting", 1, 1)
        assert found["stages"] == [{"name": "", "needs": [{"count": 1, "people": [ana.principal.name]}]}]
        assert (found["expires_at"], found["reason_required"]) == ("2026-01-05T14:00:00Z", True)
        assert [(one["applies"], one["reason"]) for one in found["looked"]] == [
            (False, "does not fit: time"),
            (True, "it fits"),
        ]

    async def test_at_another_time_it_is_another(self, ana, put):
        await put()
        found = (await ana.ask("POST", "/policy/test", json={"action": "tasks.delete", "at": NIGHT})).json()

        assert (found["verdict"], found["rule"]) == ("deny", "no deleting at night: nobody is there to help")
        assert found["arguments_problem"]

    async def test_in_another_mode_or_with_a_draft(self, ana, put):
        await put()
        emergency = {"action": "tasks.delete", "mode": "emergency"}
        draft = {"action": "tasks.delete", "yaml": "rules: [{name: a, when: {risk: destructive}, verdict: allow}]"}

        assert (await ana.ask("POST", "/policy/test", json=emergency)).json()["verdict"] == "deny"
        assert (await ana.ask("POST", "/policy/test", json=draft)).json()["verdict"] == "allow"

    async def test_everybody_may_try_their_own_and_sees_no_other_rules(self, ana, bo, put):
        await put()
        own = (await bo.ask("POST", "/policy/test", json={"action": "tasks.delete", "at": NOON})).json()

        assert (own["verdict"], own["rule"], own["looked"]) == ("ask", "deleting", [])
        for body in ({"user": ana.principal.user_id}, {"user": "nobody@x.test"}, {"yaml": "rules: []"}):
            refused = await bo.ask("POST", "/policy/test", json={"action": "tasks.delete", **body})
            assert refused.status_code == 403

    async def test_who_and_what_is_not_here_is_not_found(self, ana, eve):
        stranger = {"action": "tasks.delete", "user": eve.principal.user_id}

        assert (await ana.ask("POST", "/policy/test", json=stranger)).status_code == 404
        assert (await ana.ask("POST", "/policy/test", json={"action": "ship.deploy"})).status_code == 404
        outside = {"action": "ship.deploy", "risk": "admin", "channel": "api"}
        assert (await ana.ask("POST", "/policy/test", json=outside)).json()["verdict"] == "ask"

    async def test_where_nobody_could_decide_it_is_denied(self, house, workspace_id, ana, put):
        group = Group(id=new_id("grp"), workspace_id=workspace_id, name="finance", created_at=now())
        async with house.database.writing() as session:
            session.add(group)
        draft = "rules: [{name: a, verdict: ask, ask: {approvers: {group: finance}}}]"

        found = (await ana.ask("POST", "/policy/test", json={"action": "tasks.delete", "yaml": draft})).json()

        assert (found["verdict"], found["stages"]) == ("deny", [])
        assert found["rule"].startswith("Nobody is here who could decide this")


class TestWorkspace:
    async def test_its_mode_is_seen_by_all_and_changed_by_those_who_may(self, ana, bo, approver):
        assert (await bo.ask("GET", "/workspace")).json()["operation_mode"] == "assisted"
        assert (await bo.ask("PUT", "/workspace/mode", json={"mode": "emergency"})).status_code == 403

        stopped = await approver.ask("PUT", "/workspace/mode", json={"mode": "emergency"})
        again = await approver.ask("PUT", "/workspace/mode", json={"mode": "assisted"})
        owner = await ana.ask("PUT", "/workspace/mode", json={"mode": "assisted"})

        assert (stopped.status_code, stopped.json()["mode_changed_by"]) == (200, approver.principal.user_id)
        assert (again.status_code, owner.status_code) == (403, 200)

    async def test_another_workspace_is_not_touched(self, ana, eve):
        await eve.ask("PUT", "/workspace/mode", json={"mode": "emergency"})

        assert (await ana.ask("GET", "/workspace")).json()["operation_mode"] == "assisted"

    @pytest.mark.parametrize("body", [{}, {"mode": "relaxed"}, {"mode": None}, {"mode": "manual", "workspace": "x"}])
    async def test_other_modes_are_none(self, ana, body):
        assert (await ana.ask("PUT", "/workspace/mode", json=body)).status_code == 422

    async def test_a_role_that_was_lost_counts_no_more(self, house, approver):
        async with house.database.writing() as session:
            (await session.get_one(Membership, approver.principal.membership_id)).role = "member"

        assert (await approver.ask("PUT", "/workspace/mode", json={"mode": "emergency"})).status_code == 403
