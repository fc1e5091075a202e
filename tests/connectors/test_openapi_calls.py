"""Calls of an imported connector against a real server: what is sent, where to, and what each answer means."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from starlette.responses import PlainTextResponse, Response

from connectors.base import (
    ConnectorError,
    NeedsAuthorization,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    Throttled,
    Unreachable,
)
from connectors.credentials import Credential, Vault, seal
from connectors.guarded import AddressRefused
from connectors.manifest import BadManifest
from connectors.openapi.connector import OpenApiConnector
from connectors.openapi.operations import Binding, Parameter
from connectors.openapi.reader import OpenApiReader
from connectors.openapi.request import request_of
from connectors.reach import Reach
from connectors.registry import Registry
from connectors.sources import Wanted
from core.clock import now
from core.errors import Invalid
from core.ids import new_id
from core.masking import MASK
from core.sealing import Sealer
from core.tables.connect import Imported
from tests.doubles.pets_server import KEY, Pets, serving

ACTIONS = ["list_pets", "create_pet", "get_pet", "keep_pet", "delete_pet"]


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Pets]:
    async with serving() as running:
        yield running


@pytest.fixture
def pets(server) -> Pets:
    """The service, as it is when nothing is wrong."""
    fresh = Pets(address=server.address)
    server.__dict__.update(fresh.__dict__)
    return server


class Shop:
    """An imported connector, and how to use it."""

    def __init__(self, connector: OpenApiConnector, context: Any, row: Imported) -> None:
        self.connector = connector
        self.context = context
        self.row = row

    async def call(self, action: str, **arguments: Any) -> dict[str, Any]:
        bound = Registry.load([self.connector]).action(f"pets.{action}")
        return await self.connector.execute(action, bound.check(arguments), self.context())

    async def preview(self, action: str, **arguments: Any):
        return await self.connector.preview(action, arguments, self.context())


@pytest.fixture
def sealer(ring) -> Sealer:
    return Sealer(ring)


@pytest.fixture
def make(database, stored, pets, context, people, sealer):
    """Import it, review it, let it sign in."""

    async def made(*, credential: Credential | None = None, private: bool = True, **more: Any) -> Shop:
        reach = Reach(private_hosts=(pets.address,) if private else ())
        reader = OpenApiReader(Reach(private_hosts=(pets.address,)))
        found = await reader.read(Wanted(name="pets", url=f"{pets.url}/openapi.json"))
        row = Imported(
            id=new_id("imp"), workspace_id=people["ana"][0], enabled=ACTIONS, risks={}, state="ready", created_by="x",
            created_at=now(), updated_at=now(), **found.draft("openapi", "pets").model_dump(),
        )  # fmt: skip
        async with database.writing() as session:
            if credential is not None:
                connection = seal(sealer, row.workspace_id, "pets", "x", credential)
                session.add(connection)
                row.connection_id = connection.id
            row.sqlmodel_update(more)
            session.add(row)
        return Shop(OpenApiConnector.of(row, Vault(database, sealer), reach), context, row)

    return made


@pytest.fixture
def key() -> Credential:
    return Credential(kind="api_key", secret=SecretStr(KEY), name="X-Pets-Key")


@pytest.fixture
async def shop(make, key) -> Shop:
    return await make(credential=key)


class TestSending:
    async def test_what_is_sent_is_what_was_shown(self, shop, pets):
        preview = await shop.preview("create_pet", body={"name": "Rex"})
        result = await shop.call("create_pet", body={"name": "Rex"})
        (sent,) = pets.sent

        assert preview.summary == f"POST {pets.url}/v1/pets"
        assert json.loads(preview.changes[-1].after) == {"name": "Rex"}
        assert (sent["method"], sent["path"], sent["body"]) == ("POST", "/v1/pets", {"name": "Rex"})
        assert (result["status"], result["body"]["id"]) == (200, "p1")

    async def test_a_key_goes_along_and_comes_back_to_nobody(self, shop, pets):
        result = await shop.call("get_pet", id="p1")

        assert pets.sent[0]["headers"]["x-pets-key"] == KEY
        assert result["body"]["key"] == MASK
        assert KEY not in repr(await shop.preview("get_pet", id="p1"))

    async def test_a_path_cannot_lead_elsewhere(self, shop, pets):
        await shop.call("get_pet", id="../../admin?x=1#y")
        await shop.call("get_pet", id="a@evil.example/b")

        assert [one["path"] for one in pets.sent] == [
            "/v1/pets/..%2F..%2Fadmin%3Fx%3D1%23y",
            "/v1/pets/a%40evil.example%2Fb",
        ]

    @pytest.mark.parametrize("step", [".", "..", ""])
    async def test_a_step_upwards_is_refused(self, shop, pets, step):
        with pytest.raises(PermanentFailure):
            await shop.preview("get_pet", id=step)
        assert pets.sent == []

    async def test_a_declared_key_of_its_own_makes_it_repeatable(self, shop, pets):
        await shop.call("keep_pet", id="p1", body={"name": "Rex"})

        assert pets.sent[0]["headers"]["idempotency-key"].startswith("cal_")

    async def test_a_query_key_stands_for_what_the_arguments_say(self, make, pets):
        pets.needs_key = False
        given = Credential(kind="api_key", secret=SecretStr("s3cret-value"), place="query", name="tag")
        await (await make(credential=given)).call("list_pets", tag="mine")

        assert pets.sent[0]["query"] == "tag=s3cret-value"

    @pytest.mark.parametrize(
        ("given", "header"),
        [({"kind": "bearer"}, "Bearer abc"), ({"kind": "basic", "user": "ana"}, "Basic YW5hOmFiYw==")],
    )
    async def test_the_other_ways_to_sign_in(self, make, pets, given, header):
        pets.needs_key = False
        await (await make(credential=Credential(secret=SecretStr("abc"), **given))).call("list_pets")

        assert pets.sent[0]["headers"]["authorization"] == header


class TestGuard:
    async def test_no_private_place_is_reached(self, make, pets):
        with pytest.raises(AddressRefused):
            await (await make(private=False)).call("list_pets")
        assert pets.sent == []

    @pytest.mark.parametrize(
        "base",
        ["http://169.254.169.254/latest", "http://127.0.0.1/", "http://[::1]/", "http://0x7f.1/", "http://a.b:22"],
    )
    async def test_none_is_imported(self, pets, base):
        with pytest.raises((AddressRefused, Invalid)):
            await OpenApiReader(Reach()).read(Wanted(name="p", document=json.dumps(pets.document()), base_url=base))

    async def test_no_document_is_fetched_from_one(self, pets):
        with pytest.raises(AddressRefused):
            await OpenApiReader(Reach()).read(Wanted(name="p", url=f"{pets.url}/openapi.json"))

    async def test_no_redirect_is_followed(self, shop, pets):
        pets.status, pets.headers = 302, {"location": "http://evil.example/"}

        with pytest.raises(PermanentFailure, match="not followed"):
            await shop.call("list_pets")
        assert len(pets.sent) == 1


class TestStanding:
    @pytest.mark.parametrize(
        "change", [{"state": "changed"}, {"state": "removed"}, {"digest": "other"}, {"enabled": ["get_pet"]}]
    )
    async def test_what_stands_no_more_sends_nothing(self, shop, database, pets, change):
        async with database.writing() as session:
            (await session.get_one(Imported, shop.row.id)).sqlmodel_update(change)

        with pytest.raises(PermanentFailure, match="changed, disabled or removed"):
            await shop.call("list_pets")
        assert pets.sent == []

    async def test_a_credential_that_is_gone_sends_nothing(self, make, pets):
        with pytest.raises(NeedsAuthorization):
            await (await make(connection_id="cnx_gone")).call("list_pets")
        assert pets.sent == []

    async def test_only_what_is_enabled_is_there(self, make):
        shop = await make(enabled=["get_pet"])

        assert [one.name for one in shop.connector.manifest.actions] == ["get_pet"]

    async def test_a_risk_that_people_said_holds(self, make):
        shop = await make(risks={"create_pet": "read", "get_pet": "money"})
        found = {one.name: (one.risk.value, one.effect.value) for one in shop.connector.manifest.actions}

        assert (found["create_pet"], found["get_pet"]) == (("read", "read"), ("money", "at_most_once"))

    async def test_what_was_kept_wrong_is_not_used(self, make):
        with pytest.raises(BadManifest):
            await make(source={"base_url": "http://x", "bindings": {}})


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "action", "error"),
        [
            (401, "get_pet", NeedsAuthorization), (403, "get_pet", NeedsAuthorization),
            (404, "get_pet", PermanentFailure),
            (409, "create_pet", PermanentFailure), (422, "create_pet", PermanentFailure),
            (429, "create_pet", Throttled),
            (408, "get_pet", TemporaryFailure), (500, "get_pet", Unreachable), (503, "keep_pet", Unreachable),
            (500, "create_pet", OutcomeUnknown), (503, "delete_pet", OutcomeUnknown),
            (303, "create_pet", OutcomeUnknown),
            (501, "create_pet", PermanentFailure),
        ],
    )  # fmt: skip
    async def test_every_status_has_a_meaning(self, shop, pets, status, action, error):
        pets.status, pets.headers = status, {"retry-after": "7"}
        arguments: dict[str, Any] = {"body": {"name": "Rex"}} if action in {"create_pet", "keep_pet"} else {}
        arguments |= {} if action == "create_pet" else {"id": "p1"}

        with pytest.raises(error) as caught:
            await shop.call(action, **arguments)
        assert isinstance(caught.value, ConnectorError)
        assert len(pets.sent) == 1
        if status == 429:
            assert getattr(caught.value, "retry_after", None) == 7
        assert ('It says: "No such thing' in str(caught.value)) == (status in {404, 409, 422})

    @pytest.mark.parametrize(("action", "error"), [("create_pet", OutcomeUnknown), ("keep_pet", Unreachable)])
    async def test_silence_after_it_was_sent(self, shop, pets, action, error):
        pets.silent = True

        with pytest.raises(error):
            await shop.call(action, body={"name": "Rex"}, **({"id": "p1"} if action == "keep_pet" else {}))

    async def test_nobody_there_means_that_nothing_was_sent(self, make, pets, key):
        shop = await make(credential=key)
        shop.connector._base = "http://127.0.0.1:9"
        shop.connector._sender._private_hosts = ("127.0.0.1:9",)

        with pytest.raises(Unreachable):
            await shop.call("create_pet", body={"name": "Rex"})

    async def test_an_answer_without_end_is_not_taken(self, shop, pets):
        pets.answer = PlainTextResponse("x" * 3_000_000)

        with pytest.raises(PermanentFailure, match="larger"):
            await shop.call("list_pets")
        with pytest.raises(OutcomeUnknown):
            await shop.call("create_pet", body={"name": "Rex"})

    @pytest.mark.parametrize(
        ("body", "kind", "expected"),
        [
            (b"hello\x00", "text/plain", {"text": "hello\ufffd", "cut": False}),
            (b"\x89PNG", "image/png", {"type": "image/png", "bytes": 4}),
            (b"{broken", "application/json", {"text": "{broken", "cut": False}),
            (b"[" * 90_000, "application/json", {"text": "[" * 60_000, "cut": True}),
            (b'{"a": 1}', "application/problem+json", {"body": {"a": 1}}),
            (b"", "application/json", {}),
        ],
    )
    async def test_any_answer_becomes_something_safe(self, shop, pets, body, kind, expected):
        pets.answer = Response(body, media_type=kind)

        assert await shop.call("list_pets") == {"status": 200, **expected}


class TestWriting:
    @pytest.mark.parametrize(
        ("value", "more", "query"),
        [
            (["a", "b"], {}, "p=a&p=b"),
            (["a", "b"], {"explode": False}, "p=a%2Cb"),
            (["a", "b"], {"style": "pipeDelimited", "explode": False}, "p=a%7Cb"),
            ({"x": 1, "y": True}, {"style": "deepObject"}, "p%5Bx%5D=1&p%5By%5D=true"),
            ({"x": 1}, {}, "x=1"),
            ({"x": 1}, {"as_json": True}, "p=%7B%22x%22%3A%201%7D"),
            ("a b&c=d", {}, "p=a%20b%26c%3Dd"),
            (2.0, {}, "p=2"),
        ],
    )
    def test_a_query_is_written_as_its_style_says(self, value, more, query):
        parameter = Parameter(argument="p", name="p", place="query", **({"style": "form", "explode": True} | more))
        made = request_of(
            "http://x.example/v1", Binding(method="GET", path="/a", parameters=(parameter,)), {"p": value}
        )

        assert made.url == f"http://x.example/v1/a?{query}"
        assert httpx.URL(made.url).host == "x.example"

    @pytest.mark.parametrize("value", ["a\r\nHost: evil", "ключ"])
    def test_a_header_is_one_line(self, value):
        parameter = Parameter(argument="p", name="X-P", place="header", style="simple", explode=False)

        with pytest.raises(PermanentFailure):
            request_of("http://x.example", Binding(method="GET", path="/a", parameters=(parameter,)), {"p": value})

    async def test_what_looks_like_another_parameter_is_shown_escaped(self, shop):
        preview = await shop.preview("list_pets", tag="a&admin=true\u202e")

        assert preview.summary.endswith("?tag=a%26admin%3Dtrue[U+202E]")
        assert any("cannot be seen" in one for one in preview.warnings)

    @pytest.mark.parametrize(
        "given",
        [
            {"kind": "api_key", "name": "Host"}, {"kind": "api_key", "name": "a b"}, {"kind": "basic", "user": "a:b"},
            {"kind": "bearer", "secret": "a\r\nb"}, {"kind": "basic"},
        ],
    )  # fmt: skip
    def test_no_credential_changes_the_request(self, given):
        with pytest.raises(ValidationError):
            Credential.model_validate({"secret": "x", **given})


class TestContract:
    async def test_every_preview_says_something_and_changes_nothing(self, shop, pets):
        arguments = {"id": "p1", "body": {"name": "Rex"}}
        for bound in Registry.load([shop.connector]).actions():
            given = bound.check({name: arguments[name] for name in bound.spec.properties if name in arguments})
            preview = await shop.connector.preview(bound.spec.name, given, shop.context())

            assert preview.summary.startswith(("GET ", "POST ", "PUT ", "DELETE "))
            assert preview.warnings[0].startswith("pets was imported")
            assert bound.is_untrusted
            assert len(bound.name.replace(".", "__")) <= 64
        assert pets.sent == []

    async def test_another_import_of_the_name_is_another_action(self, make, database):
        first = Registry.load([(await make()).connector]).action("pets.create_pet").schema_digest
        second = Registry.load([(await make()).connector]).action("pets.create_pet").schema_digest

        assert first != second
