"""Other arguments on the command line, and many requests answered with one word."""

import json
import sys

import pytest

from cli.talk.approvals import Edit, decide_approval
from cli.talk.batches import decide_batch
from cli.talk.ending import WrongUsage
from cli.talk.server import open_server
from core.values import DecisionVerdict
from tests.page.stage import approval


@pytest.fixture
async def server(stage, signed_in):
    stage.approvals = [approval()]
    async with open_server(signed_in(stage.url)) as server:
        yield server


async def approve(server, screen, *said: str, write: bool = False) -> int:
    edit = Edit(said, write)
    return await decide_approval(server, screen, "apr_1", DecisionVerdict.APPROVE, None, sure=True, edit=edit)


class TestEdit:
    async def test_is_said_one_by_one_and_shown(self, stage, server, screen):
        made = screen()
        await approve(server, made, "title=Buy oat milk", "days=3")
        body = await stage.got("POST /approvals/apr_1/decision")

        assert body["arguments"] == {"title": "Buy oat milk", "days": 3}
        assert 'title: "Buy milk" -> "Buy oat milk"' in made.notices.getvalue()

    async def test_is_written_in_the_persons_editor(self, stage, server, screen, monkeypatch, tmp_path):
        script = tmp_path / "editor.py"
        script.write_text("import sys; open(sys.argv[1], 'w').write('{\"title\": \"Other\"}')")
        monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")

        await approve(server, screen(), write=True)

        assert (await stage.got("POST /approvals/apr_1/decision"))["arguments"] == {"title": "Other"}

    async def test_of_what_a_service_asks_is_read_by_its_form(self, stage, server, screen):
        form = {"type": "object", "properties": {"seats": {"type": "integer"}, "day": {"type": "string"}}}
        asked = {"origin": "question", "arguments": {}, "arguments_schema": form, "tool_call_id": None}
        stage.approvals = [approval() | asked]
        await approve(server, screen(), "seats=3", "day=Monday")

        assert (await stage.got("POST /approvals/apr_1/decision"))["arguments"] == {"seats": 3, "day": "Monday"}

    async def test_of_nothing_is_none(self, stage, server, screen):
        await approve(server, screen(), "title=Buy milk")

        assert "arguments" not in await stage.got("POST /approvals/apr_1/decision")

    @pytest.mark.parametrize(
        ("said", "why"),
        [("title", "NAME=VALUE"), ("colour=red", "days, title"), ("days=soon", "integer"), ("=x", "VALUE")],
    )
    async def test_that_cannot_be_read_decides_nothing(self, stage, server, screen, said, why):
        with pytest.raises(WrongUsage, match=why):
            await approve(server, screen(), said)

        assert stage.received == []

    @pytest.mark.parametrize("written", ["nonsense", "[1]"])
    async def test_written_as_no_json_decides_nothing(self, stage, server, screen, monkeypatch, tmp_path, written):
        script = tmp_path / "editor.py"
        script.write_text(f"import sys; open(sys.argv[1], 'w').write({json.dumps(written)})")
        monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")

        with pytest.raises(WrongUsage, match="JSON"):
            await approve(server, screen(), write=True)

        assert stage.received == []


class TestBatch:
    async def test_is_answered_with_one_word_each_with_its_own_digest(self, stage, server, screen):
        both = [approval(batch="bat_1"), approval(id="apr_2", digest="e" * 64, batch="bat_1")]
        stage.approvals = [*both, approval(id="apr_3", batch="bat_2"), approval(id="apr_4")]

        code = await decide_batch(server, screen(), "apr_1", DecisionVerdict.APPROVE, None, sure=True)
        body = await stage.got("POST /approvals/decisions")

        assert code == 0
        assert {one["approval_id"]: one["digest"] for one in body} == {"apr_1": both[0]["digest"], "apr_2": "e" * 64}

    async def test_of_one_alone_is_none(self, stage, server, screen):
        with pytest.raises(WrongUsage, match="alone"):
            await decide_batch(server, screen(), "apr_1", DecisionVerdict.APPROVE, None, sure=True)

        assert stage.received == []

    async def test_where_nobody_can_be_asked_has_to_be_meant(self, stage, server, screen):
        with pytest.raises(WrongUsage, match="--yes"):
            await decide_batch(server, screen(), "apr_1", DecisionVerdict.APPROVE, None, sure=False)
