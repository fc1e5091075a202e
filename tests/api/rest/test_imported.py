"""Imported connectors over REST: looked at before they are used, changed with a fresh proof, for one workspace only."""

import json
from datetime import timedelta

import pytest

from connectors.importing import Importer
from connectors.kinds import imported_kinds
from connectors.reach import Reach
from core.clock import now
from core.permissions import Role
from core.tables.connect import Connection, Imported
from core.tables.people import Session
from core.tables.records import AuditRow
from tests.api.rest.house import House, Person
from tests.connectors.openapi_corpus import HERE, document
from tests.world import World

NEWER = document({"/pets": {"post": {"operationId": "createPet"}}, "/new": {"get": {"operationId": "fresh"}}})
PETS = document({"/pets": {"post": {"operationId": "createPet"}}})


def text(given=PETS) -> str:
    return json.dumps(given)


@pytest.fixture
def bring(ana: Person):
    async def import_one(who: Person = ana, name: str = "pets", **more):
        body = {"name": name, "document": text(), **more}
        answer = await who.ask("POST", "/connectors/imported", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return import_one


@pytest.fixture
def names(house: House):
    """Give the connectors that somebody's workspace has, once this server heard of all changes."""

    async def listed(who: Person) -> dict[str, list[str]]:
        context = house.rest.state.context
        kinds = imported_kinds(Reach(), house.database, context.sealer)
        await Importer(house.database, context.registry, kinds).refresh()
        items = (await who.ask("GET", "/connectors")).json()["items"]
        return {one["id"]: [action["name"] for action in one["actions"]] for one in items if one["origin"] != "native"}

    return listed


async def review(who: Person, shown, enable, **more):
    body = {"digest": shown["digest"], "enable": enable, **more}
    return await who.ask("PUT", f"/connectors/imported/{shown['id']}/actions", json=body)


class TestImport:
    async def test_nothing_of_it_may_be_used_before_somebody_looked(self, ana, bring, names):
        shown = await bring()

        assert (shown["state"], shown["enabled"], shown["actions"], shown["address"]) == ("review", 0, 2, HERE)
        assert {one["name"]: (one["risk"], one["effect"], one["enabled"]) for one in shown["items"]} == {
            "look": ("read", "read", False),
            "create_pet": ("write", "at_most_once", False),
        }
        assert await names(ana) == {}

    async def test_only_what_is_enabled_may_be_used(self, ana, bring, names):
        answer = await review(ana, await bring(), ["look"])

        assert answer.json()["state"] == "ready"
        assert await names(ana) == {"pets": ["pets.look"]}

    async def test_a_risk_that_people_said_is_asked_for(self, ana, bring):
        shown = (await review(ana, await bring(), ["look"], risks={"look": "money"})).json()
        look = next(one for one in shown["items"] if one["name"] == "look")

        assert (look["risk"], look["risk_found"], look["effect"]) == ("money", "read", "at_most_once")

    @pytest.mark.parametrize("name", ["tasks", "email", "files", "assent", "mcp", "Pets", "a.b", "x" * 25, "p\u0435ts"])
    async def test_no_name_passes_for_another(self, ana, name):
        answer = await ana.ask("POST", "/connectors/imported", json={"name": name, "document": text()})

        assert answer.status_code == 422

    async def test_a_name_is_taken_once(self, ana, bring):
        await bring()
        answer = await ana.ask("POST", "/connectors/imported", json={"name": "pets", "document": text()})

        assert answer.status_code == 409

    @pytest.mark.parametrize(
        "body",
        [
            {"document": "hello"}, {}, {"document": "{}", "url": HERE}, {"kind": "soap", "document": "{}"},
            {"url": "http://169.254.169.254/latest"}, {"url": "file:///etc/passwd"},
            {"document": text(), "base_url": "http://169.254.169.254"}, {"document": text(), "options": {"a": 1}},
        ],
    )  # fmt: skip
    async def test_what_cannot_be_imported_is_refused(self, ana, body):
        answer = await ana.ask("POST", "/connectors/imported", json={"name": "bad", **body})

        assert answer.status_code == 422
        assert (await ana.ask("GET", "/connectors/imported")).json()["total"] == 0

    async def test_what_somebody_did_not_see_they_do_not_enable(self, ana, bring):
        shown = await bring()

        assert (await review(ana, shown | {"digest": "0" * 64}, ["look"])).status_code == 409
        assert (await review(ana, shown, ["nothing"])).status_code == 422

    async def test_no_more_is_enabled_than_fits_into_prompts(self, ana, bring):
        words = {f"p{one}": {"type": "string", "description": "x" * 200} for one in range(60)}
        body = {"content": {"application/json": {"schema": {"type": "object", "properties": words}}}}
        many = {f"/p{one}": {"post": {"operationId": f"p{one}", "requestBody": body}} for one in range(12)}
        shown = await bring(document=text(document(many)))

        assert (await review(ana, shown, [f"p{one}" for one in range(12)])).status_code == 422
        assert (await review(ana, shown, ["p1"])).status_code == 200


class TestChange:
    async def test_another_document_may_not_be_used_before_it_is_reviewed(self, ana, bring, names):
        shown = await bring()
        await review(ana, shown, ["look", "create_pet"])
        path = f"/connectors/imported/{shown['id']}/refresh"
        changed = (await ana.ask("POST", path, json={"document": text(NEWER)})).json()

        assert changed["state"] == "changed"
        assert changed["changes"] == ["new: fresh"]
        assert await names(ana) == {}
        assert (await review(ana, changed, ["look"])).json()["changes"] == []
        assert await names(ana) == {"pets": ["pets.look"]}

    async def test_the_same_document_changes_nothing(self, ana, bring, names):
        shown = await bring()
        await review(ana, shown, ["look"])
        path = f"/connectors/imported/{shown['id']}/refresh"

        assert (await ana.ask("POST", path, json={"document": text()})).json()["state"] == "ready"
        assert await names(ana) == {"pets": ["pets.look"]}

    async def test_what_was_text_needs_the_newer_text(self, ana, bring):
        shown = await bring()

        assert (await ana.ask("POST", f"/connectors/imported/{shown['id']}/refresh", json={})).status_code == 422

    async def test_removed_is_gone_and_its_name_is_free(self, house, ana, bring, names):
        shown = await bring(credential={"kind": "bearer", "secret": "s3cret-token"})
        await review(ana, shown, ["look"])

        assert (await ana.ask("DELETE", f"/connectors/imported/{shown['id']}")).status_code == 204
        assert await names(ana) == {}
        assert (await ana.ask("GET", f"/connectors/imported/{shown['id']}")).status_code == 404
        (connection,) = await World(house.database).all(Connection, Connection.connector == "pets")
        assert (connection.ciphertext, connection.state) == (None, "removed")
        await bring()


class TestCredential:
    async def test_is_sealed_and_shown_to_nobody(self, house, ana, bring):
        shown = await bring(credential={"kind": "api_key", "secret": "s3cret-token", "name": "X-Key"})
        path = f"/connectors/imported/{shown['id']}"
        set_again = await ana.ask("PUT", f"{path}/credential", json={"kind": "bearer", "secret": "s3cret-other"})
        told = json.dumps([shown, set_again.json(), (await ana.ask("GET", path)).json()])
        world = World(house.database)
        kept = repr(await world.all(Connection)) + repr(await world.all(AuditRow)) + repr(await world.all(Imported))

        assert (shown["credential"], set_again.json()["credential"]) == ("api_key", "bearer")
        assert "s3cret" not in told + kept
        assert (await ana.ask("DELETE", f"{path}/credential")).json()["credential"] is None

    async def test_a_bad_one_is_refused_without_a_word_of_it(self, ana, bring):
        shown = await bring()
        body = {"kind": "bearer", "secret": "s3cret\r\nx"}
        answer = await ana.ask("PUT", f"/connectors/imported/{shown['id']}/credential", json=body)

        assert answer.status_code == 422
        assert "s3cret" not in answer.text


class TestWho:
    ROUTES = (
        ("GET", "", None),
        ("GET", "/{id}", None),
        ("POST", "", {"name": "more", "document": text()}),
        ("PUT", "/{id}/actions", {"digest": "{digest}", "enable": []}),
        ("POST", "/{id}/refresh", {"document": text()}),
        ("PUT", "/{id}/credential", {"kind": "bearer", "secret": "abc"}),
        ("DELETE", "/{id}/credential", None),
        ("DELETE", "/{id}", None),
    )

    @pytest.mark.parametrize(("method", "path", "body"), ROUTES)
    @pytest.mark.parametrize("role", [Role.APPROVER, Role.MEMBER, Role.VIEWER])
    async def test_only_owners_and_admins(self, house, workspace_id, bring, role, method, path, body):
        shown = await bring()
        person = await house.person(workspace_id, role)
        answer = await person.ask(method, f"/connectors/imported{path.format(id=shown['id'])}", json=body)

        assert answer.status_code == 403

    @pytest.mark.parametrize(("method", "path", "body"), [one for one in ROUTES if one[1]])
    async def test_nobody_of_another_workspace(self, house, bring, method, path, body):
        shown = await bring()
        other = await house.person(await house.workspace(), Role.OWNER)
        answer = await other.ask(method, f"/connectors/imported{path.format(id=shown['id'])}", json=body)

        assert answer.status_code == 404

    async def test_one_workspaces_import_is_no_others(self, house, ana, bring, names):
        other = await house.person(await house.workspace(), Role.OWNER)
        await review(ana, await bring(), ["look"])
        mine = await bring(other)
        await review(other, mine, ["create_pet"])

        assert (await names(ana), await names(other)) == ({"pets": ["pets.look"]}, {"pets": ["pets.create_pet"]})
        assert (await other.ask("GET", "/connectors/imported")).json()["total"] == 1

    async def test_an_admin_may_too(self, house, workspace_id, bring):
        admin = await house.person(workspace_id, Role.ADMIN)

        assert (await review(admin, await bring(admin), ["look"])).status_code == 200

    async def test_a_review_needs_a_fresh_proof(self, house, ana, bring):
        shown = await bring()
        async with house.database.writing() as session:
            opened = await session.get_one(Session, ana.principal.session_id)
            opened.proved_at = now() - timedelta(hours=9)

        answer = await review(ana, shown, ["look"])

        assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")

    async def test_all_of_it_is_in_the_audit_trail(self, house, ana, bring):
        shown = await bring(credential={"kind": "bearer", "secret": "abcdef"})
        await review(ana, shown, ["look"])
        await ana.ask("DELETE", f"/connectors/imported/{shown['id']}")
        kinds = [row.kind for row in await World(house.database).all(AuditRow) if row.kind.startswith("connector.")]

        assert kinds == ["connector.imported", "connector.changed", "connector.reviewed", "connector.removed"]
