"""Documents, search, export and import from the command line, against the real doors."""

import json

import pytest

from cli.talk import documents, keeping
from cli.talk.ending import ServerError
from core.errors import Invalid
from core.store import chunks
from core.store.chunks import Piece
from core.store.work import change
from tests.api.rest.house import Person


@pytest.fixture
async def conversation_id(ana: Person) -> str:
    made = (await ana.ask("POST", "/conversations", json={"title": "Shopping"})).json()["id"]
    body = {"text": "Buy fresh bread", "client_message_id": "one"}
    await ana.ask("POST", f"/conversations/{made}/messages", json=body)
    return str(made)


class TestDocuments:
    async def test_add_list_show_and_remove(self, server, screen, ana, tmp_path, conversation_id):
        file = tmp_path / "menu.txt"
        file.write_text("Soup.")
        shown = screen()

        assert await documents.add(server, shown, file, conversation_id, wait=False) == 0
        document_id = (await ana.ask("GET", "/documents")).json()["items"][0]["id"]
        await documents.list_documents(server, shown, conversation_id, 20)
        await documents.show(server, shown, document_id)
        await documents.remove(server, shown, document_id)

        text = shown.out.getvalue()
        assert f"Added {document_id}: menu.txt" in text
        assert f"Removed {document_id}" in text
        assert (await ana.ask("GET", "/documents")).json()["items"] == []

    async def test_waiting_ends_with_what_became_of_it(self, house, server, screen, ana, tmp_path, monkeypatch):
        file = tmp_path / "menu.txt"
        file.write_text("Soup.")

        async def read_meanwhile(_seconds: float) -> None:
            document_id = (await ana.ask("GET", "/documents")).json()["items"][0]["id"]
            async with change(house.database, house.rooms) as work:
                await chunks.begin(work, document_id)
                await chunks.add(work, document_id, 0, [Piece("Soup.")], 1, show=True)
                await chunks.finish(work, document_id, pages=None, note=None)

        monkeypatch.setattr("cli.talk.documents.asyncio.sleep", read_meanwhile)
        shown = screen()

        assert await documents.add(server, shown, file, None, wait=True) == 0
        assert shown.out.getvalue().endswith("ready, 1 pieces\n")

    async def test_what_cannot_be_sent_is_one_clear_error(self, server, screen, tmp_path):
        with pytest.raises(Invalid, match="cannot be read"):
            await documents.add(server, screen(), tmp_path / "nowhere.txt", None, wait=False)
        picture = tmp_path / "a.png"
        picture.write_bytes(b"\x89PNG\x00")
        with pytest.raises(ServerError, match="Documents are text"):
            await documents.add(server, screen(), picture, None, wait=False)


class TestKeeping:
    async def test_search_marks_what_fits(self, server, screen, conversation_id):
        shown = screen()
        await keeping.search(server, shown, "FRESH", None, 20)

        assert "user: Buy [fresh] bread" in shown.out.getvalue()
        assert "Only words were compared" in shown.notices.getvalue()

    @pytest.mark.parametrize("attachments", [False, True])
    async def test_what_is_exported_can_be_imported_once(self, server, screen, tmp_path, conversation_id, attachments):
        file, shown = tmp_path / "kept", screen()
        export = (server, shown, conversation_id, "json", file)
        await keeping.export(*export, attachments=attachments, force=False)
        for _ in range(2):
            await keeping.import_(server, shown, file, "once")

        assert "Imported cnv_" in shown.out.getvalue()
        assert "It was here before: cnv_" in shown.out.getvalue()
        assert attachments or json.loads(file.read_text())["conversation"]["title"] == "Shopping"
        with pytest.raises(Invalid, match="--force"):
            await keeping.export(*export, attachments=attachments, force=False)

    async def test_a_refused_export_leaves_no_file(self, server, screen, tmp_path):
        with pytest.raises(ServerError):
            await keeping.export(
                server, screen(), "cnv_" + "0" * 26, "json", tmp_path / "kept", attachments=False, force=False
            )

        assert [one.name for one in tmp_path.iterdir() if "kept" in one.name] == []
