"""Every connector keeps the contract: checked as data, then by playing its story."""

import json

import pytest

from connectors.base import CallContext
from connectors.registry import BoundAction
from core.permissions import Role
from core.policy.ruling import AskedParty
from core.values import CallVerdict
from scripts.check_connectors import problems, story_of

CONNECTORS = ("tasks", "files", "web", "email")


@pytest.fixture
def play(registry, context, stored, hostile):
    """Preview, then execute each step of a story; give what came of each."""

    async def play_story(connector_id: str) -> list[tuple[dict, str, dict]]:
        told: list[tuple[dict, str, dict]] = []
        for step in addressed(story_of(connector_id), web=hostile.address):
            action = registry.action(f"{connector_id}.{step['action']}")
            arguments = action.check({name: resolve(value, told) for name, value in step["arguments"].items()})
            summary, result = await preview_and_execute(action, arguments, context())
            told.append((step, summary, result))
        return told

    return play_story


def addressed(story, **places):
    """Put the servers of this test in where a story names them."""
    text = json.dumps(story)
    for name, address in places.items():
        text = text.replace(f"{{{name}}}", address)
    return json.loads(text)


def resolve(value, told):
    """Give a value of an earlier result where the story refers to one."""
    return told[value["from"]][2][value["key"]] if isinstance(value, dict) else value


async def preview_and_execute(action: BoundAction, arguments: dict, context: CallContext) -> tuple[str, dict]:
    preview = await action.connector.preview(action.spec.name, arguments, context)
    return preview.summary, await action.connector.execute(action.spec.name, arguments, context)


class TestContract:
    def test_nothing_breaks_it(self, registry):
        assert problems(registry) == []

    def test_all_are_there(self, registry):
        assert tuple(manifest.id for manifest in registry.manifests()) == CONNECTORS
        assert len(registry.actions()) == 10

    def test_only_harmless_writes_and_reads_pass_without_asking(self, registry):
        allowed = {one.name for one in registry.actions() if one.ruling(Role.OWNER).verdict is CallVerdict.ALLOW}

        assert allowed == {"tasks.list", "tasks.add", "tasks.complete", "files.list", "files.read", "web.fetch"}

    @pytest.mark.parametrize("name", ["tasks.delete", "files.delete"])
    def test_only_an_owner_consents_to_destruction(self, registry, name):
        ruling = registry.action(name).ruling(Role.MEMBER)

        assert ruling.verdict == "ask"
        assert [need.party for need in ruling.asking.stages[0].needs] == [AskedParty(roles=("owner",))]

    def test_names_fit_every_model(self, registry):
        assert all(len(action.name.replace(".", "__")) <= 64 for action in registry.actions())

    @pytest.mark.parametrize("connector_id", CONNECTORS)
    async def test_its_story_happens_as_told(self, play, connector_id):
        for step, summary, result in await play(connector_id):
            assert summary == step["summary"]
            assert result | step["result"] == result

    def test_a_broken_contract_is_noticed(self, registry, monkeypatch):
        monkeypatch.setattr("scripts.check_connectors.story_of", lambda _: [])

        assert "tasks: its story and its manifest differ about add" in problems(registry)
