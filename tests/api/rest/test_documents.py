"""Documents over REST: uploaded within limits, seen by those who see the conversation, handed out harmless."""

import stat

import pytest

from core.clock import now
from core.permissions import Role
from core.store import outbox
from core.tables.memory import Document, MemoryChange
from core.tables.talk import Participant
from tests.api.rest.house import House, Person
from tests.world import World

BORDER = "frontier"


@pytest.fixture
def world(house: House) -> World:
    return World(house.database)


async def upload(who: Person, name: str = "menu.txt", data: bytes = b"Soup of the day.", **fields: str):
    return await who.ask("POST", "/documents", files={"file": (name, data)}, data=fields)


def form(name: str, data: bytes) -> bytes:
    """A form whose file's name no client would write so."""
    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    return b"--%b\r\n%b\r\n\r\n%b\r\n--%b--\r\n" % (BORDER.encode(), disposition.encode(), data, BORDER.encode())


async def send(who: Person, body: bytes):
    headers = {"Content-Type": f"multipart/form-data; boundary={BORDER}"}
    return await who.ask("POST", "/documents", content=body, headers=headers)


class TestUpload:
    async def test_it_is_kept_under_a_random_name_and_will_be_read(self, house, ana, world, conversation_id):
        answer = await upload(ana, conversation_id=conversation_id)
        row = await world.get(Document, answer.json()["id"])
        file = house.settings.uploads_dir / row.storage_key

        assert answer.status_code == 201
        assert (answer.json()["name"], answer.json()["state"], answer.json()["size"]) == ("menu.txt", "received", 16)
        assert file.read_bytes() == b"Soup of the day."
        assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
        async with house.database.reading() as session:
            assert [(one.kind, one.ref) for one in await outbox.due(session)] == [("read_document", row.id)]
        assert (await world.told(conversation_id))[-1] == "document.updated"

    async def test_the_workspaces_members_hear_of_theirs_in_their_inboxes(self, ana, bo, eve, world):
        await upload(ana)

        assert [await world.told(one.principal.membership_id) for one in (ana, bo, eve)] == [
            ["document.updated"],
            ["document.updated"],
            [],
        ]

    @pytest.mark.parametrize("size", [300_000, 1_000_000])
    async def test_the_json_limit_does_not_hold_but_the_uploads_does(self, house, ana, size):
        house.settings.__dict__["upload_bytes"] = 500_000
        answer = await upload(ana, data=b"x" * size)

        assert answer.status_code == (201 if size < 500_000 else 413)
        if size > 500_000:
            assert answer.json()["code"] == "too_large"
            assert list(house.settings.uploads_dir.glob("*")) == []

    async def test_a_flood_without_a_length_is_cut_off(self, house, ana):
        house.settings.__dict__["upload_bytes"] = 100_000
        sent = 0

        async def flood():
            nonlocal sent
            yield form("a.txt", b"")[:-16]
            while sent < 1_000:
                sent += 1
                yield b"x" * 10_000

        headers = {"Content-Type": f"multipart/form-data; boundary={BORDER}"}
        answer = await ana.ask("POST", "/documents", content=flood(), headers=headers)

        assert (answer.status_code, sent < 100) == (413, True)

    async def test_other_routes_still_take_json_only(self, ana):
        answer = await ana.ask("POST", "/conversations", files={"file": ("a.txt", b"x")})

        assert answer.status_code == 415

    @pytest.mark.parametrize(
        ("name", "data", "status"),
        [
            ("a.png", b"\x89PNG\r\n\x1a\n\x00", 415),
            ("a.pdf", b"words", 415),
            ("a.svg", b"<svg/>", 415),
            ("empty.txt", b"", 422),
        ],
    )
    async def test_what_nobody_reads_is_refused_in_words(self, house, ana, name, data, status):
        answer = await upload(ana, name, data)

        assert answer.status_code == status
        assert answer.json()["detail"].endswith(".")
        assert list(house.settings.uploads_dir.glob("*")) == []

    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            ("../../x.txt", "x.txt"),
            ("..%2f..%2fx.txt", "%2f..%2fx.txt"),
            ("C:\\\\x.txt", "x.txt"),
            ("/etc/passwd", "passwd"),
            ("x" * 4_000 + ".txt", "x" * 251 + ".txt"),
            ("gpj.\u202etxt", "gpj.txt"),
        ],
    )
    async def test_a_name_is_never_a_path(self, house, ana, name, kept):
        answer = await send(ana, form(name, b"words"))

        assert (answer.status_code, answer.json()["name"]) == (201, kept)
        assert [one.parent for one in house.settings.uploads_dir.rglob("*")] == [house.settings.uploads_dir]

    @pytest.mark.parametrize("body", [b"", b"nonsense", b"--frontier--\r\n", form("a.txt", b"x")[:40]])
    async def test_what_is_no_form_is_refused(self, ana, body):
        assert (await send(ana, body)).status_code == 422

    async def test_a_viewer_uploads_nowhere(self, house, workspace_id):
        viewer = await house.person(workspace_id, Role.VIEWER)

        assert (await upload(viewer)).status_code == 403

    async def test_nobody_uploads_into_a_strangers_conversation(self, house, bo, eve, conversation_id):
        assert [(await upload(one, conversation_id=conversation_id)).status_code for one in (bo, eve)] == [404, 404]
        assert list(house.settings.uploads_dir.glob("*")) == []


class TestContent:
    async def test_a_page_is_handed_out_as_a_file_in_a_sandbox(self, ana):
        document = (await upload(ana, "Grüße a.html", b"<html><script>alert(1)</script>")).json()
        answer = await ana.ask("GET", f"/documents/{document['id']}/content")

        assert answer.content == b"<html><script>alert(1)</script>"
        assert answer.headers["content-disposition"] == (
            "attachment; filename=\"Gr__e a.html\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20a.html"
        )
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"


class TestSeeing:
    async def test_a_conversations_documents_are_its_participants(self, ana, bo, eve, world, conversation_id):
        document = (await upload(ana, conversation_id=conversation_id)).json()
        path = f"/documents/{document['id']}"
        assert [(await one.ask("GET", path)).status_code for one in (ana, bo, eve)] == [200, 404, 404]

        await world.add(Participant(conversation_id=conversation_id, user_id=bo.principal.user_id, joined_at=now()))

        assert (await bo.ask("GET", path)).json() == document

    async def test_the_workspaces_are_everybodys_in_it(self, ana, bo, eve):
        document = (await upload(ana)).json()
        lists = [(await one.ask("GET", "/documents")).json() for one in (bo, eve)]

        assert [one["items"] for one in lists] == [[document], []]
        assert (await eve.ask("GET", f"/documents/{document['id']}/content")).status_code == 404

    async def test_lists_have_pages(self, ana, conversation_id):
        made = [(await upload(ana, f"{n}.txt", conversation_id=conversation_id)).json()["id"] for n in range(3)]
        await upload(ana)
        first = (await ana.ask("GET", f"/documents?conversation_id={conversation_id}&limit=2")).json()
        rest = (
            await ana.ask("GET", f"/documents?conversation_id={conversation_id}&limit=2&cursor={first['next']}")
        ).json()

        assert [one["id"] for one in first["items"] + rest["items"]] == made[::-1]
        assert (first["total"], rest["next"]) == (3, None)

    async def test_a_deleted_conversation_hides_its_documents_until_it_is_back(self, ana, conversation_id):
        document = (await upload(ana, conversation_id=conversation_id)).json()
        path = f"/documents/{document['id']}"
        await ana.ask("DELETE", f"/conversations/{conversation_id}")
        hidden = [(await ana.ask("GET", one)).status_code for one in (path, f"{path}/content")]
        await ana.ask("POST", f"/conversations/{conversation_id}/restore")

        assert hidden == [404, 404]
        assert (await ana.ask("GET", path)).json() == document


class TestDelete:
    async def test_it_is_gone_at_once_with_its_file_and_memory_learns_it(self, house, ana, bo, world):
        document = (await upload(bo)).json()
        answer = await ana.ask("DELETE", f"/documents/{document['id']}")

        assert answer.json()["deleted_at"]
        assert (await bo.ask("GET", f"/documents/{document['id']}")).status_code == 404
        assert list(house.settings.uploads_dir.glob("*")) == []
        assert [(one.kind, one.ref) for one in await world.all(MemoryChange)] == [("document", document["id"])]
        assert (await world.told(bo.principal.membership_id))[-1] == "document.updated"

    async def test_a_member_deletes_only_their_own(self, ana, bo):
        document = (await upload(ana)).json()

        assert (await bo.ask("DELETE", f"/documents/{document['id']}")).status_code == 403
