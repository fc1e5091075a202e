"""The examples of docs/openai.md run as they stand there."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from core.keys import KeyRing
from core.store.database import Database
from tests.api.openai.serving import Served, installed, serving
from tests.doubles.packages import ROOT
from tests.workflows.script import call
from tests.workflows.stage import open_stage

pytestmark = pytest.mark.server
PAGE = (ROOT / "docs" / "openai.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```(python|js)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
async def served(tmp_path: Path, sqlite_database: Database, client: Client, ring: KeyRing) -> AsyncIterator[Served]:
    async with (
        open_stage(tmp_path, sqlite_database, client, ring) as stage,
        stage.working(),
        serving(stage, tmp_path) as one,
    ):
        stage.model.lines["What is on my list?"] = [["Buy milk."]]
        stage.model.lines["And tomorrow?"] = [["Bake bread."]]
        stage.model.lines["Delete the task Buy milk"] = [["I ask.", call("send")], ["It is gone."]]
        yield one


async def run(served: Served, language: str, code: str) -> asyncio.subprocess.Process:
    """Begin to run an example."""
    environment = os.environ | {"OPENAI_BASE_URL": f"{served.url}/v1", "OPENAI_API_KEY": served.secret}
    command = [sys.executable, "-c", code]
    folder = ROOT
    if language == "js":
        folder = await installed()
        command = [str(folder / "node" / "node"), "--input-type=module", "--eval", code]
    piped = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=piped, stderr=piped)


class TestExamples:
    def test_there_are_some(self):
        assert [language for language, _ in EXAMPLES] == ["python", "js", "python", "python"]

    @pytest.mark.parametrize(
        ("place", "expected"), [(0, "Buy milk."), (1, "Buy milk."), (2, "Bake bread."), (3, "It is gone.")]
    )
    async def test_each_says_what_it_should(self, served, place, expected):
        process = await run(served, *EXAMPLES[place])
        if "Delete" in EXAMPLES[place][1]:
            (approval,) = await served.stage.pending()
            await served.stage.decide(approval)
        out, err = await process.communicate()

        assert process.returncode == 0, err.decode()
        assert expected in out.decode()
