"""Modes, busy conversations, stops and versions over REST; Temporal is away, so a turn stays as it began."""

from typing import Any

import pytest

from core.tables.work import ToolCall, Turn
from tests.api.rest.house import House, Person, _call
from tests.api.rest.test_talk import say


async def patch(who: Person, conversation_id: str, **body: Any):
    return await who.ask("PATCH", f"/conversations/{conversation_id}", json=body)


async def edit(who: Person, message_id: str, text: str, client_id: str = "edit"):
    return await who.ask("POST", f"/messages/{message_id}/edit", json={"text": text, "client_message_id": client_id})


class TestBusy:
    async def test_reject_is_a_409_with_a_sentence_and_resends_pass(self, ana, conversation_id):
        changed = await patch(ana, conversation_id, when_busy="reject")
        first = await say(ana, conversation_id)
        refused = await say(ana, conversation_id, "More", "two")
        resent = await say(ana, conversation_id)
        listed = await ana.ask("GET", f"/conversations/{conversation_id}/messages")

        assert changed.json()["when_busy"] == "reject"
        assert (refused.status_code, refused.json()["code"]) == (409, "busy")
        assert "still answering" in refused.json()["detail"]
        assert (resent.status_code, resent.json()["turn_id"]) == (202, first.json()["turn_id"])
        assert listed.json()["total"] == 1

    async def test_stop_ends_what_runs_and_what_is_queued_when_asked(self, ana, conversation_id):
        running = (await say(ana, conversation_id)).json()["turn_id"]
        queued = (await say(ana, conversation_id, "More", "two")).json()["turn_id"]
        path = f"/conversations/{conversation_id}/stop"
        both = await ana.ask("POST", path, params={"queued": "true"})
        none = await ana.ask("POST", path)

        assert [one["id"] for one in both.json()["items"]] == [queued, running]
        assert none.json()["items"] == []

    @pytest.mark.parametrize(
        "body", [{"when_busy": "panic"}, {"mode": "trading"}, {"mode": ""}, {"title": ""}, {"colour": "red"}]
    )
    async def test_what_cannot_be_is_refused(self, ana, conversation_id, body):
        before = (await ana.ask("GET", f"/conversations/{conversation_id}")).json()
        answer = await patch(ana, conversation_id, **body)

        assert answer.status_code == 422
        assert (await ana.ask("GET", f"/conversations/{conversation_id}")).json() == before


class TestWishes:
    async def test_of_a_message_are_kept(self, ana, conversation_id):
        body = {
            "text": "Plan my week",
            "client_message_id": "one",
            "mode": "quick",
            "model": "small-1",
            "message_type": "fitness_plan",
        }
        said = await ana.ask("POST", f"/conversations/{conversation_id}/messages", json=body)
        turn = (await ana.ask("GET", f"/turns/{said.json()['turn_id']}")).json()
        message = (await ana.ask("GET", f"/messages/{said.json()['message_id']}")).json()

        assert (turn["mode"], turn["asked_model"], message["message_type"]) == ("quick", "small-1", "fitness_plan")

    @pytest.mark.parametrize("kind", ["", "Fitness", "9lives", "a" * 41, "a-b", "a b", None])
    async def test_bad_types_are_refused(self, ana, conversation_id, kind):
        body = {"text": "Hi", "client_message_id": "one", "message_type": kind}
        answer = await ana.ask("POST", f"/conversations/{conversation_id}/messages", json=body)

        assert answer.status_code == 422


class TestModes:
    async def test_are_made_by_owners_and_audited(self, ana, bo):
        body = {"name": "trading", "title": "Trading", "prompt": "Secret words.", "tools": ["tasks"], "rounds": 2}
        made = await ana.ask("POST", "/modes", json=body)
        changed = await ana.ask("PATCH", "/modes/trading", json={"rounds": None, "tool_calls": 0})
        listed = await bo.ask("GET", "/modes")
        chosen = await bo.ask("POST", "/conversations", json={"mode": "trading"})
        gone = await ana.ask("DELETE", "/modes/trading")
        unknown = await bo.ask("POST", "/conversations", json={"mode": "trading"})
        rows = (await ana.ask("GET", "/audit")).json()["items"]

        assert (made.status_code, made.json()["tools"]) == (201, ["tasks"])
        assert (changed.json()["rounds"], changed.json()["tool_calls"], changed.json()["title"]) == (None, 0, "Trading")
        assert [one["name"] for one in listed.json()["items"]] == ["full", "quick", "analysis", "support", "trading"]
        assert (chosen.status_code, chosen.json()["mode"], gone.status_code) == (201, "trading", 204)
        assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_mode")
        assert unknown.json()["known"] == ["full", "quick", "analysis", "support"]
        assert [row["kind"] for row in rows] == ["mode.removed", "mode.changed", "mode.added"]
        assert "Secret words" not in str(rows)

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"name": "full", "title": "Mine"}, 409),
            ({"name": "Bad name", "title": "Mine"}, 422),
            ({"name": "x", "title": "Mine", "rounds": 0}, 422),
            ({"name": "x", "title": "Mine", "tools": ["a b"]}, 422),
            ({"name": "x", "title": "Mine", "tier": "huge"}, 422),
        ],
    )
    async def test_that_cannot_be_are_refused(self, ana, body, status):
        assert (await ana.ask("POST", "/modes", json=body)).status_code == status


class TestVersions:
    async def test_are_made_listed_and_shown(self, ana, conversation_id):
        first = (await say(ana, conversation_id, "One")).json()
        edited = await edit(ana, first["message_id"], "Uno")
        resent = await edit(ana, first["message_id"], "Uno")
        again = await ana.ask("POST", f"/turns/{edited.json()['turn_id']}/regenerate", json={"client_message_id": "g"})
        versions = (await ana.ask("GET", f"/messages/{first['message_id']}/versions")).json()
        branches = (await ana.ask("GET", f"/conversations/{conversation_id}/branches")).json()
        path = f"/conversations/{conversation_id}/messages"
        shown = (await ana.ask("GET", path)).json()
        trunk = (await ana.ask("GET", path, params={"branch": "trunk"})).json()
        nowhere = await ana.ask("GET", path, params={"branch": "brn_nowhere"})
        back = await ana.ask("POST", f"/conversations/{conversation_id}/branches/trunk/activate")

        assert (edited.status_code, resent.json()["duplicate"], again.status_code) == (202, True, 202)
        assert [one["reason"] for one in versions["items"]] == ["original", "edit", "regenerate"]
        assert [one["active"] for one in versions["items"]] == [False, False, True]
        assert branches["total"] == 2
        assert ([one["text"] for one in shown["items"]], shown["total"]) == (["Uno"], 1)
        assert [one["text"] for one in trunk["items"]] == ["One"]
        assert nowhere.status_code == 404
        assert back.json()["active_branch_id"] is None

    async def test_say_what_stays_done(self, house: House, ana, conversation_id):
        first = (await say(ana, conversation_id, "Delete it")).json()
        async with house.database.writing() as session:
            call = _call(await session.get_one(Turn, first["turn_id"]))
            call.state = "unknown"
            session.add(call)
        edited = (await edit(ana, first["message_id"], "Keep it")).json()
        async with house.database.writing() as session:
            (await session.get_one(ToolCall, call.id)).state = "done"
        resent = (await edit(ana, first["message_id"], "Keep it")).json()

        assert edited["already_done"] == [{"tool_call_id": call.id, "action": "tasks.delete", "state": "unknown"}]
        assert resent["already_done"][0]["state"] == "done"

    async def test_a_blank_or_too_long_edit_is_refused(self, ana, conversation_id):
        first = (await say(ana, conversation_id, "One")).json()

        assert (await edit(ana, first["message_id"], "  ")).status_code == 422
        assert (await edit(ana, first["message_id"], "x" * 40_000)).status_code == 413
        assert (await ana.ask("GET", f"/conversations/{conversation_id}/branches")).json()["total"] == 0
