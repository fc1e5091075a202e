"""A conversation as a file and back: whole, harmless, and believed in nothing that counts."""

import io
import json
import re
import zipfile
from typing import Any

import pytest

from core.clock import now
from core.ids import new_id
from core.permissions import Role
from core.tables.consent import Approval
from core.tables.cost import Usage
from core.tables.memory import Document, Fact, MemoryChange
from core.tables.records import AuditRow
from core.tables.talk import Conversation, Message
from core.tables.work import Outbox, ToolCall, Turn
from tests.api.rest.house import House, Person
from tests.world import World

EVIL = (
    '![x](http://evil.test/a.png) <img src=http://evil.test/b onerror=alert(1)>\n# Assistant\n\u202egnp.exe\n"<script>"'
)


@pytest.fixture
def world(house: House) -> World:
    return World(house.database)


@pytest.fixture
async def talk(house: House, ana: Person, bo: Person, world: World, conversation_id: str, turn_id: str) -> str:
    """Two turns, a call that waits, an approval, a fact, a document, what it used."""
    await house.approval(ana, turn_id)
    body = {"text": EVIL, "client_message_id": "second"}
    await ana.ask("POST", f"/conversations/{conversation_id}/messages", json=body)
    at = now()
    [first] = await world.all(Message, Message.turn_id == turn_id)
    owner = {"workspace_id": ana.principal.workspace_id, "user_id": ana.principal.user_id}
    reply = Message(
        id=new_id("msg"), conversation_id=conversation_id, workspace_id=owner["workspace_id"], turn_id=turn_id,
        position=90, role="assistant", text="Shall I?", channel="rest", model="offline", usage={"input_tokens": 3},
        reply_to_id=first.id, suggestions=["Yes"], created_at=at,
    )  # fmt: skip
    known: dict[str, Any] = {"conversation_id": conversation_id, "turn_id": turn_id, "created_at": at, **owner}
    fact: dict[str, Any] = {name: "" for name in Fact.model_fields if name == "folded"}
    await world.add(
        reply,
        Fact(id=new_id("fct"), text="Ana likes rye.", origin="said", updated_at=at, **fact, **known),
        Usage(id=new_id("use"), model="offline", input_tokens=3, output_tokens=5, **known),
    )
    await world.alter(Conversation, conversation_id, last_seq=100)
    data = {"conversation_id": conversation_id}
    await ana.ask("POST", "/documents", files={"file": ("rye.txt", b"All about rye.")}, data=data)
    return conversation_id


async def exported(who: Person, conversation_id: str, **query: str) -> bytes:
    answer = await who.ask("GET", f"/conversations/{conversation_id}/export", params=query)
    assert answer.status_code == 200, answer.text
    return answer.content


async def brought(who: Person, content: bytes, **query: str):
    return await who.ask("POST", "/conversations/import", content=content, params=query)


def in_a_circle(file: dict[str, Any]) -> None:
    """Make the file's newest version its own parent."""
    name = "brn_" + "0" * 26
    file["branches"].append({
        "id": name,
        "parent_id": name,
        "forked_at": 5000,
        "begun_at": 5000,
        "thread_id": None,
        "replaces_turn_id": file["turns"][0]["id"],
        "reason": "edit",
        "by": file["people"][0]["key"],
        "created_at": file["conversation"]["created_at"],
    })  # fmt: skip
    file["conversation"]["active_branch_id"] = name


def alike(content: bytes) -> object:
    """A file without what differs on purpose: ids by their order, no times, and what only a running turn has."""
    file = json.loads(content)
    del file["exported_at"], file["imported"]
    file["conversation"]["origin_channel"] = ""
    for noun, states in (
        ("turns", {"queued": "stopped", "running": "stopped"}),
        ("calls", {"awaiting approval": "not run"}),
    ):
        for one in file[noun]:
            one["state"] = states.get(one["state"], one["state"])
    for one in (*file["turns"], *file["calls"]):
        one["ended_at"] = None
    for person in file["people"]:
        person["name"] = ""
    text = json.dumps(file, sort_keys=True)
    ids: dict[str, str] = {}
    return json.loads(
        re.sub(r"\b[a-z]{2,4}_[0-9a-z]{26}\b", lambda found: ids.setdefault(found[0], f"id{len(ids)}"), text)
    )


class TestExport:
    async def test_json_is_whole(self, ana, talk):
        file = json.loads(await exported(ana, talk))

        assert (file["format"], file["version"], file["imported"]) == ("assent.conversation", 1, False)
        counts = {
            noun: len(file[noun]) for noun in ("turns", "messages", "calls", "approvals", "facts", "documents", "usage")
        }
        assert counts == {
            "turns": 2, "messages": 3, "calls": 1, "approvals": 1, "facts": 1, "documents": 1, "usage": 1,
        }  # fmt: skip
        assert file["people"] == [{"key": "p1", "name": ana.principal.name}]

    @pytest.mark.parametrize("form", ["markdown", "html"])
    async def test_what_was_said_cannot_act_or_pass_for_another(self, ana, talk, form):
        text = (await exported(ana, talk, format=form)).decode()

        assert "Shall I?" in text
        assert "[U+202E]gnp.exe" in text
        active = ("<img", "<script>", "\u202e") + (("![x](", "\n# Assistant") if form == "markdown" else ())
        assert [one for one in active if one in text] == []
        if form == "html":
            assert "default-src 'none'" in text
            assert re.findall(r"(?:src|href)=", re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)) == []

    async def test_it_is_handed_out_as_a_file_in_a_sandbox(self, ana, talk):
        answer = await ana.ask("GET", f"/conversations/{talk}/export", params={"format": "html"})

        assert answer.headers["content-disposition"].startswith("attachment; ")
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"

    async def test_an_archive_has_the_documents(self, ana, talk):
        content = await exported(ana, talk, format="markdown", attachments="true")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == ["conversation.json", "conversation.md", "documents/1"]
            assert archive.read("documents/1") == b"All about rye."

    async def test_others_see_no_facts_of_hers(self, ana, bo, talk, world):
        from core.tables.talk import Participant

        await world.add(Participant(conversation_id=talk, user_id=bo.principal.user_id, joined_at=now()))

        assert json.loads(await exported(bo, talk))["facts"] == []

    async def test_nobody_else_gets_it(self, bo, eve, talk, world):
        path = f"/conversations/{talk}/export"

        assert [(await one.ask("GET", path)).status_code for one in (bo, eve)] == [404, 404]
        assert await world.all(AuditRow, AuditRow.kind == "conversation.exported") == []

    async def test_who_took_it_out_is_in_the_trail(self, ana, talk, world):
        await exported(ana, talk, format="markdown", attachments="true")
        (row,) = await world.all(AuditRow, AuditRow.kind == "conversation.exported")

        assert (row.actor, row.subject) == (ana.principal.user_id, talk)
        assert row.body == {"format": "markdown", "attachments": True, "messages": 3}


class TestImport:
    @pytest.mark.parametrize("attachments", ["false", "true"])
    async def test_what_comes_back_is_what_went_out(self, ana, bo, eve, talk, attachments):
        """But for ids, times, names of people, the door, and what had not ended."""
        before = await exported(ana, talk)
        content = await exported(ana, talk, attachments=attachments)
        for who in (ana, eve):
            answer = await brought(who, content)
            assert answer.status_code == 201, answer.text
            after = await exported(who, answer.json()["conversation"]["id"])

            assert alike(after) == alike(before)
            assert json.loads(after)["imported"] is True

    async def test_a_file_consents_to_nothing_and_costs_nobody(self, ana, eve, talk, world):
        await brought(eve, await exported(ana, talk))
        his = eve.principal.workspace_id

        assert [await world.all(table, table.workspace_id == his) for table in (Approval, Usage, Fact)] == [[], [], []]
        assert {one.state for one in await world.all(ToolCall, ToolCall.workspace_id == his)} == {"not run"}
        assert {one.state for one in await world.all(Turn, Turn.workspace_id == his)} == {"stopped"}
        assert [one for one in await world.all(Outbox) if one.kind == "start_turn" and "stopped" in one.ref] == []

    async def test_it_is_the_importers_and_marked_and_memory_learns_it(self, ana, eve, talk, world):
        view = (await brought(eve, await exported(ana, talk))).json()["conversation"]

        assert (view["owner_id"], view["origin_channel"]) == (eve.principal.user_id, "import")
        assert [(one.kind, one.ref) for one in await world.all(MemoryChange)] == [("conversation", view["id"])]
        assert (await ana.ask("GET", f"/conversations/{view['id']}")).status_code == 404
        found = await eve.ask("GET", "/search", params={"q": "shall"})
        assert [one["conversation_id"] for one in found.json()["items"]] == [view["id"]]

    async def test_who_brought_what_is_in_the_trail_once(self, ana, eve, talk, world):
        content = await exported(ana, talk, attachments="true")
        view = (await brought(eve, content)).json()["conversation"]
        await brought(eve, content)
        (row,) = await world.all(AuditRow, AuditRow.kind == "conversation.imported")

        assert (row.workspace_id, row.actor) == (eve.principal.workspace_id, eve.principal.user_id)
        assert row.subject == view["id"]
        assert (row.body["messages"], row.body["documents"], len(row.body["sha256"])) == (3, 1, 64)

    async def test_its_documents_are_read_again(self, ana, eve, talk, world, house):
        view = (await brought(eve, await exported(ana, talk, attachments="true"))).json()["conversation"]
        [document] = await world.all(Document, Document.conversation_id == view["id"])

        assert (house.settings.uploads_dir / document.storage_key).read_bytes() == b"All about rye."
        assert document.state == "received"
        assert document.id in {one.ref for one in await world.all(Outbox)}

    async def test_twice_is_once_unless_the_key_says_otherwise(self, ana, talk):
        content = await exported(ana, talk)
        answers = [await brought(ana, content) for _ in range(2)]
        other = await brought(ana, content, client_import_id="again")

        assert [(one.status_code, one.json()["duplicate"]) for one in answers] == [(201, False), (200, True)]
        assert answers[0].json()["conversation"]["id"] == answers[1].json()["conversation"]["id"]
        assert other.json()["conversation"]["id"] != answers[0].json()["conversation"]["id"]

    async def test_its_events_give_what_a_fetch_gives(self, ana, talk, world):
        view = (await brought(ana, await exported(ana, talk))).json()["conversation"]
        events = await world.events(view["id"])
        page = (await ana.ask("GET", f"/conversations/{view['id']}/messages")).json()

        assert [one.body["message"]["id"] for one in events if one.type == "message.created"] == [
            one["id"] for one in page["items"]
        ]
        assert [one.seq for one in events if one.type == "message.created"] == [
            one["position"] for one in page["items"]
        ]
        assert events[-1].type == "conversation.created"

    async def test_one_can_go_on_talking(self, ana, talk):
        view = (await brought(ana, await exported(ana, talk))).json()["conversation"]
        body = {"text": "And now?", "client_message_id": "next"}
        said = await ana.ask("POST", f"/conversations/{view['id']}/messages", json=body)

        assert (said.status_code, said.json()["state"]) == (202, "running")

    @pytest.mark.parametrize(
        "change",
        [
            lambda file: file.update(version=2),
            lambda file: file.update(more=1),
            lambda file: file["messages"][0].update(role="tool"),
            lambda file: file["messages"][0].update(turn_id="trn_" + "0" * 26),
            lambda file: file["messages"][1].update(position=file["messages"][0]["position"]),
            lambda file: file["messages"][1].update(id=file["messages"][0]["id"]),
            lambda file: file["messages"][0].update(by="p7"),
            lambda file: file["messages"][0].update(position=2**31 - 1),
            lambda file: file["messages"][0].update(text="a\x00b"),
            lambda file: file["messages"][0].update(created_at="yesterday"),
            lambda file: file["turns"][0].update(id="../../x"),
            lambda file: file["conversation"].pop("title"),
            lambda file: file["documents"][0].update(file="../../etc/passwd"),
            in_a_circle,
        ],
    )
    async def test_what_is_not_right_is_refused_whole(self, ana, talk, world, change):
        file = json.loads(await exported(ana, talk))
        change(file)
        count = len(await world.all(Conversation))
        answer = await brought(ana, json.dumps(file).encode())

        assert answer.status_code == 422, answer.text
        assert len(await world.all(Conversation)) == count

    @pytest.mark.parametrize(
        "content",
        [b"", b"nonsense", b"[]", b'{"format": NaN}', b"[" * 50_000, b"PK\x03\x04nonsense", b"\xff\xfe"],
    )
    async def test_what_is_no_file_is_refused(self, ana, content):
        assert (await brought(ana, content)).status_code == 422

    async def test_a_bomb_and_a_lie_are_refused(self, ana, talk):
        content = await exported(ana, talk, attachments="true")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            text = archive.read("conversation.json")
        answers = []
        for document in (bytes(50_000_000), b"All about rio."):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("conversation.json", text)
                archive.writestr("documents/1", document)
            answers.append(await brought(ana, out.getvalue()))

        assert [one.status_code for one in answers] == [413, 422]

    async def test_too_much_is_refused(self, house, ana):
        house.settings.__dict__["upload_bytes"] = 1_000

        assert (await brought(ana, b"x" * 5_000)).status_code == 413

    async def test_a_viewer_imports_nothing(self, house, workspace_id):
        viewer = await house.person(workspace_id, Role.VIEWER)

        assert (await brought(viewer, b"{}")).status_code == 403
