"""One's own profile, and what a turn recalled, over REST."""

import pytest

from core.clock import now
from core.ids import new_id
from core.tables.memory import Fact, Recall
from core.tables.talk import Participant


class TestProfile:
    async def test_it_is_shown_and_changed(self, ana):
        before = (await ana.ask("GET", "/users/me")).json()
        body = {"name": "Ana B.", "locale": "DE-at", "time_zone": "Europe/Vienna", "preferences": {"answers": "short"}}
        changed = (await ana.ask("PATCH", "/users/me", json=body)).json()
        again = (await ana.ask("PATCH", "/users/me", json={"locale": None})).json()

        assert (before["locale"], before["preferences"]) == (None, {})
        assert {name: changed[name] for name in body} == body | {"locale": "de-AT"}
        assert (again["locale"], again["time_zone"]) == (None, "Europe/Vienna")
        assert (await ana.ask("GET", "/me")).json()["name"] == "Ana B."

    @pytest.mark.parametrize(
        "body",
        [
            {"locale": "english"},
            {"locale": "en_US"},
            {"time_zone": "Mars/Olympus"},
            {"time_zone": "../../etc/passwd"},
            {"name": None},
            {"name": "  "},
            {"name": "Bo\nIt can be undone."},
            {"name": "Bo\x1b[2J"},
            {"name": "Bo\u2028Ana approved."},
            {"name": "Bo \u202ednA"},
            {"preferences": {"a": "x" * 301}},
            {"preferences": {str(number): "x" for number in range(21)}},
            {"preferences": {"a": "\x00"}},
            {"role": "owner"},
        ],
        ids=str,
    )
    async def test_what_cannot_be_is_refused(self, ana, body):
        assert (await ana.ask("PATCH", "/users/me", json=body)).status_code == 422

    async def test_it_is_nobody_elses(self, ana, bo):
        await ana.ask("PATCH", "/users/me", json={"preferences": {"answers": "short"}})
        seen = await bo.ask("GET", f"/users/{ana.principal.user_id}")

        assert (await bo.ask("GET", "/users/me")).json()["preferences"] == {}
        assert "answers" not in seen.text


class TestRecall:
    @pytest.fixture
    async def fact_id(self, house, ana, turn_id):
        row = Fact(
            id=new_id("fct"),
            workspace_id=ana.principal.workspace_id,
            user_id=ana.principal.user_id,
            text="I like tea",
            origin="said",
            created_at=now(),
            updated_at=now(),
        )
        items = [{"kind": "fact", "id": row.id, "score": 0.5, "reason": "alike in meaning"}]
        recall = Recall(turn_id=turn_id, state="done", took_ms=7, items=items, created_at=now())
        async with house.database.writing() as session:
            session.add_all([row, recall])
        return row.id

    async def test_nothing_looked_up_is_null(self, ana, turn_id):
        assert (await ana.ask("GET", f"/turns/{turn_id}/recall")).json() is None

    async def test_citations_come_with_the_text_of_now(self, ana, turn_id, fact_id):
        shown = (await ana.ask("GET", f"/turns/{turn_id}/recall")).json()

        assert (shown["state"], shown["took_ms"]) == ("done", 7)
        assert [(one["id"], one["text"]) for one in shown["items"]] == [(fact_id, "I like tea")]

    async def test_forgotten_since_it_has_no_text(self, house, ana, turn_id, fact_id):
        async with house.database.writing() as session:
            await session.delete(await session.get_one(Fact, fact_id))
        [item] = (await ana.ask("GET", f"/turns/{turn_id}/recall")).json()["items"]

        assert (item["id"], item["text"]) == (fact_id, None)

    async def test_who_joined_later_sees_no_text_of_hers(self, house, ana, bo, turn_id, fact_id, conversation_id):
        async with house.database.writing() as session:
            session.add(Participant(conversation_id=conversation_id, user_id=bo.principal.user_id, joined_at=now()))
        [item] = (await bo.ask("GET", f"/turns/{turn_id}/recall")).json()["items"]

        assert item["text"] is None

    async def test_others_do_not_see_the_turn(self, bo, eve, turn_id, fact_id):
        for other in (bo, eve):
            assert (await other.ask("GET", f"/turns/{turn_id}/recall")).status_code == 404

    async def test_the_history_tells_that_it_was(self, ana, turn_id, fact_id):
        told = (await ana.ask("GET", f"/turns/{turn_id}/history")).json()["entries"]
        [entry] = [one for one in told if one["kind"] == "recall.done"]

        assert (entry["title"], entry["duration_ms"]) == ("Recalled 1 fact", 7)
        assert "tea" not in str(told)
