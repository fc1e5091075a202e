"""A service nobody wrote code for: imported over REST, called in a chat after somebody consented to it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from connectors.importing import Importer
from connectors.kinds import imported_kinds
from connectors.reach import Reach
from core.keys import KeyRing
from core.permissions import Role
from core.sealing import Sealer
from core.settings import Settings
from core.store import service_health
from core.store.database import Database
from core.values import CallState, TurnState
from tests.api.rest.house import House, Person, open_house
from tests.doubles.pets_server import KEY, Pets, serving
from tests.workflows.stage import Stage, open_stage
from tests.world import eventually
from workers.llm.port import CallAsked

pytestmark = pytest.mark.server

REX: dict[str, Any] = {"body": {"name": "Rex"}}


def ask(action: str, call_id: str = "c1", **arguments: object) -> CallAsked:
    return CallAsked(call_id=call_id, name=f"pets.{action}", arguments=arguments)


class Shop:
    """A stage, the doors on the same database, and a service of which nothing is imported yet."""

    def __init__(self, stage: Stage, house: House, pets: Pets, admin: Person) -> None:
        self.stage = stage
        self.house = house
        self.pets = pets
        self.admin = admin
        reach = Reach(private_hosts=(pets.address,))
        registry = stage.parts.actor._gate.registry
        self._importer = Importer(stage.database, registry, imported_kinds(reach, stage.database, Sealer(stage.ring)))

    async def import_all(self, **risks: str) -> dict[str, Any]:
        """Import it over REST, with its key, and enable all of it."""
        body = {
            "name": "pets",
            "url": f"{self.pets.url}/openapi.json",
            "credential": {"kind": "api_key", "secret": KEY, "name": "X-Pets-Key"},
        }
        shown = (await self.admin.ask("POST", "/connectors/imported", json=body)).json()
        return await self.review(shown, **risks)

    async def review(self, shown: dict[str, Any], **risks: str) -> dict[str, Any]:
        enable = [one["name"] for one in shown["items"]]
        body = {"digest": shown["digest"], "enable": enable, "risks": risks}
        answer = await self.admin.ask("PUT", f"/connectors/imported/{shown['id']}/actions", json=body)
        assert answer.status_code == 200, answer.text
        await self._importer.refresh()
        return answer.json()

    async def refresh(self, shown: dict[str, Any]) -> dict[str, Any]:
        answer = await self.admin.ask("POST", f"/connectors/imported/{shown['id']}/refresh", json={})
        return answer.json()


@pytest.fixture
async def shop(tmp_path: Path, sqlite_database: Database, client: Client, ring: KeyRing) -> AsyncIterator[Shop]:
    async with serving() as pets:
        settings = Settings(data_dir=tmp_path, private_hosts=(pets.address,))
        async with (
            open_stage(tmp_path, sqlite_database, client, ring) as stage,
            open_house(settings, sqlite_database, ring) as house,
            stage.working(),
        ):
            yield Shop(stage, house, pets, await house.person(stage.ana.workspace_id, Role.ADMIN))


class TestACall:
    async def test_that_reads_needs_no_consent_and_one_that_writes_does(self, shop):
        await shop.import_all()
        sent = await shop.stage.send("make one", [ask("list_pets")], [ask("create_pet", "c2", **REX)], ["Done."])
        (consent,) = await shop.stage.pending()
        before = [one["method"] for one in shop.pets.sent]

        assert before == ["GET"]
        assert consent.title == "pets: POST /pets"
        assert consent.preview.summary == f"POST {shop.pets.url}/v1/pets"
        await shop.stage.decide(consent)
        turn = await shop.stage.ended(sent.turn_id)
        listed, created = await shop.stage.calls(sent.turn_id)

        assert (turn.state, listed.state, created.state) == (TurnState.FINISHED, CallState.DONE, CallState.DONE)
        assert [one["method"] for one in shop.pets.sent] == ["GET", "POST"]
        assert shop.pets.sent[1]["headers"]["x-pets-key"] == KEY
        assert shop.pets.sent[1]["body"] == REX["body"]
        assert KEY not in repr((listed.result, created.result, consent))
        assert turn.untrusted_at is not None

    async def test_that_is_refused_sends_nothing(self, shop):
        await shop.import_all()
        sent = await shop.stage.send("drop one", [ask("delete_pet", id="p1")], ["All right."])
        (consent,) = await shop.stage.pending()
        await shop.stage.decide(consent, "reject")
        await shop.stage.ended(sent.turn_id)

        assert consent.risk == "destructive"
        assert shop.pets.sent == []

    async def test_whose_answer_never_came_is_unknown_and_not_sent_again(self, shop):
        await shop.import_all()
        sent = await shop.stage.send("make one", [ask("create_pet", **REX)], ["Hm."])
        (consent,) = await shop.stage.pending()
        shop.pets.status = 500
        await shop.stage.decide(consent)
        await shop.stage.ended(sent.turn_id)
        (call,) = await shop.stage.calls(sent.turn_id)

        assert call.state == CallState.UNKNOWN
        assert len(shop.pets.sent) == 1


class TestAChange:
    async def test_while_consent_is_awaited_sends_nothing(self, shop):
        shown = await shop.import_all()
        sent = await shop.stage.send("make one", [ask("create_pet", **REX)], ["I could not."])
        (consent,) = await shop.stage.pending()
        shop.pets.more = {"/steal": {"post": {"operationId": "steal"}}}

        assert (await shop.refresh(shown))["state"] == "changed"
        await shop.stage.decide(consent)
        await shop.stage.ended(sent.turn_id)
        (call,) = await shop.stage.calls(sent.turn_id)

        assert call.state in {CallState.FAILED, CallState.NOT_RUN}
        assert shop.pets.sent == []

    async def test_that_was_reviewed_is_asked_for_anew(self, shop):
        shown = await shop.import_all()
        sent = await shop.stage.send("make one", [ask("create_pet", **REX)], ["Done."])
        (consent,) = await shop.stage.pending()
        async with shop.stage.deciding(consent):
            await shop.review(shown, create_pet="money")

        async def other():
            return [one for one in await shop.stage._pending() if one.id != consent.id]

        await eventually(other)
        (again,) = await other()
        assert shop.pets.sent == []
        await shop.stage.decide(again)
        await shop.stage.ended(sent.turn_id)
        (call,) = await shop.stage.calls(sent.turn_id)

        assert (call.state, len(shop.pets.sent)) == (CallState.DONE, 1)


class TestAnotherWorkspace:
    async def test_has_none_of_it(self, shop):
        await shop.import_all()
        other = await shop.stage.person(role=Role.OWNER)
        conversation = await shop.stage.conversation(other)
        shop.stage.ana, shop.stage.conversation_id = other, conversation
        sent = await shop.stage.send("list them", [ask("list_pets")], ["There is no such thing."])
        await shop.stage.ended(sent.turn_id)

        assert shop.pets.sent == []

    async def test_sees_nothing_of_how_its_service_is(self, shop):
        await shop.import_all()
        shop.pets.status = 500
        sent = await shop.stage.send("list them", [ask("list_pets")], ["It is away."])
        await shop.stage.ended(sent.turn_id)
        other = await shop.stage.workspace()
        async with shop.stage.database.reading() as session:
            mine = await service_health.listed(session, shop.stage.ana.workspace_id)
            theirs = await service_health.listed(session, other)

        assert ([one.connector for one in mine], theirs) == (["pets"], [])
