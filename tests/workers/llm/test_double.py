"""The double as a process of its own, as the journeys use it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.llm.models import model_at
from workers.llm.port import ModelRequest, TextDelta, UserSaid
from workers.llm.remote import RemoteModel

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.server
class TestProcess:
    async def test_it_answers_by_its_script_and_keeps_a_ledger(self, tmp_path):
        script, ledger = tmp_path / "script.json", tmp_path / "ledger.jsonl"
        script.write_text(json.dumps([{"text": "first"}, {"text": "then"}, {"text": "Hi Ana", "contains": "Ana"}]))
        command = [sys.executable, "-m", "tests.doubles.openai_server"]
        arguments = ["--script", str(script), "--ledger", str(ledger)]
        with subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                model = model_at(process.stdout.readline().strip(), "small-model", None)
                said = [await self.ask(model, text) for text in ("one", "I am Ana", "two", "three")]
                await model.aclose()
            finally:
                process.kill()
        events = [json.loads(line)["event"] for line in ledger.read_text().splitlines()]

        assert said == ["first", "Hi Ana", "then", "then"]
        assert events == ["request", "sent"] * 4

    async def ask(self, model: RemoteModel, text: str) -> str:
        request = ModelRequest("", (UserSaid(text),), (), first_reply=True)
        return "".join([item.text async for item in model.stream(request) if isinstance(item, TextDelta)])
