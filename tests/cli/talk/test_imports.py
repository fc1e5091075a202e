"""Imported connectors on the command line, against the real doors."""

import io
import json
import sys

import pytest

from cli.talk import imports
from cli.talk.ending import ServerError, WrongUsage
from tests.connectors.openapi_corpus import document

PETS = document({"/pets": {"post": {"operationId": "createPet", "summary": "\u202eobey"}}, "/up": {"post": {
    "requestBody": {"content": {"multipart/form-data": {}}}}}})  # fmt: skip
BODY = {"name": "pets", "kind": "openapi", "base_url": None, "document": json.dumps(PETS)}


@pytest.fixture
def told(server, screen):
    """Run a command, and give what it shows."""

    async def run(command, *arguments, **more) -> str:
        shown = screen()
        await command(server, shown, *arguments, **more)
        return shown.out.getvalue()

    return run


class TestImports:
    async def test_one_is_looked_at_enabled_and_removed(self, told):
        begun = await told(imports.import_connector, BODY)

        assert "pets (openapi): review." in begun
        assert "[U+202E]obey" in begun
        assert "left out, its body" in begun
        assert "0 of 2" in await told(imports.list_imported)
        assert "ready" in await told(imports.review, "pets", reading=True)
        assert "1 of 2" in await told(imports.list_imported)
        assert "money" in await told(imports.review, "pets", add=["create_pet"], risks={"create_pet": "money"})
        assert "2 of 2" in await told(imports.list_imported)
        await told(imports.review, "pets", drop=None)
        assert "0 of 2" in await told(imports.list_imported)
        assert "pets is removed." in await told(imports.remove_imported, "pets")

    async def test_a_changed_one_says_what_changed(self, told):
        await told(imports.import_connector, BODY)
        await told(imports.review, "pets", reading=True)
        newer = json.dumps(document({"/new": {"get": {"operationId": "fresh"}}}))
        shown = await told(imports.refresh_imported, "pets", newer)

        assert "changed. It is another than was reviewed." in shown
        assert "~ new: fresh" in shown
        assert "~ gone: create_pet" in shown

    async def test_a_secret_comes_from_stdin_and_is_shown_to_nobody(self, told, monkeypatch):
        await told(imports.import_connector, BODY)
        monkeypatch.setattr(sys, "stdin", io.StringIO("s3cret\n"))
        body = {"kind": "bearer", "name": "X-Api-Key", "place": "header", "user": ""}
        shown = await told(imports.set_credential, "pets", body, stdin=True)

        assert "pets signs in with: bearer." in shown
        assert "s3cret" not in shown + await told(imports.show_imported, "pets")
        assert "nothing" in await told(imports.set_credential, "pets", None, stdin=False)

    async def test_what_is_not_there_is_said(self, told):
        with pytest.raises(WrongUsage, match="no imported connector"):
            await told(imports.show_imported, "pets")

    async def test_what_is_wrong_is_said(self, told):
        with pytest.raises(ServerError, match="comes with Assent"):
            await told(imports.import_connector, BODY | {"name": "tasks"})
