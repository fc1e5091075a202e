"""What nobody should send: a clear problem each time, nothing stored, no traceback in the log."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from sqlalchemy import func, select
from structlog.testing import capture_logs

from core.permissions import Role
from core.tables.talk import Conversation, Message
from tests.api.rest.house import API, House, Person

JSON = {"Content-Type": "application/json"}
GOOD = {"text": "Hello", "client_message_id": "one"}


@pytest.fixture(scope="module")
async def house(shared: House) -> House:
    return shared


@pytest.fixture(scope="module")
async def workspace_id(house: House) -> str:
    return await house.workspace()


@pytest.fixture(scope="module")
async def ana(house: House, workspace_id: str) -> Person:
    return await house.person(workspace_id, Role.OWNER)


@pytest.fixture(scope="module")
async def conversation_id(ana: Person) -> str:
    return str((await ana.ask("POST", "/conversations", json={})).json()["id"])


async def stored(house: House) -> tuple[int, ...]:
    async with house.database.reading() as session:
        counts = [await session.execute(select(func.count()).select_from(one)) for one in (Conversation, Message)]
    return tuple(count.scalar_one() for count in counts)


# name: (content of POST .../messages, headers, expected status)
BODIES: dict[str, tuple[bytes, dict[str, str], int]] = {
    "nothing": (b"", JSON, 422),
    "blank": (b"   ", JSON, 422),
    "not JSON": (b"hello", JSON, 422),
    "half a JSON": (b'{"text": "a', JSON, 422),
    "two JSON values": (b"{} {}", JSON, 422),
    "a number": (b"1", JSON, 422),
    "null": (b"null", JSON, 422),
    "a list": (b"[]", JSON, 422),
    "text": (b'"text"', JSON, 422),
    "NaN": (b'{"text": NaN, "client_message_id": "one"}', JSON, 422),
    "Infinity": (b'{"text": "a", "client_message_id": -Infinity}', JSON, 422),
    "huge number": (b'{"text": 1' + b"0" * 5000 + b', "client_message_id": "one"}', JSON, 422),
    "bad UTF-8": (b'{"text": "\xff\xfe", "client_message_id": "one"}', JSON, 422),
    "UTF-16": ('{"text": "a", "client_message_id": "one"}'.encode("utf-16"), JSON, 422),
    "byte order mark": (b'\xef\xbb\xbf{"text": "a", "client_message_id": "one"}', JSON, 422),
    "NUL": (b'{"text": "a\\u0000b", "client_message_id": "one"}', JSON, 422),
    "raw NUL": (b'{"text": "a\x00b", "client_message_id": "one"}', JSON, 422),
    "lone surrogate": (b'{"text": "a\\ud800b", "client_message_id": "one"}', JSON, 422),
    "lone surrogate as a name": (b'{"\\udfff": 1, "text": "a", "client_message_id": "one"}', JSON, 422),
    "deep list": (b"[" * 100_000 + b"]" * 100_000, JSON, 422),
    "deep object": (b'{"a":' * 2000 + b"1" + b"}" * 2000, JSON, 422),
    "deep enough to pass the parser": (b'{"text": ' + b"[" * 40 + b"]" * 40 + b"}", JSON, 422),
    "unknown member": (b'{"text": "a", "client_message_id": "one", "role": "assistant"}', JSON, 422),
    "spoofed author": (b'{"text": "a", "client_message_id": "one", "author_id": "usr_1"}', JSON, 422),
    "wrong type": (b'{"text": {"$ne": ""}, "client_message_id": "one"}', JSON, 422),
    "empty text": (b'{"text": "", "client_message_id": "one"}', JSON, 422),
    "blank text": (b'{"text": " \\n\\t ", "client_message_id": "one"}', JSON, 422),
    "long text": (b'{"text": "' + b"x" * 32_769 + b'", "client_message_id": "one"}', JSON, 413),
    "client id missing": (b'{"text": "a"}', JSON, 422),
    "client id empty": (b'{"text": "a", "client_message_id": ""}', JSON, 422),
    "client id too long": (b'{"text": "a", "client_message_id": "' + b"x" * 65 + b'"}', JSON, 422),
    "client id with blanks": (b'{"text": "a", "client_message_id": "a b"}', JSON, 422),
    "client id a number": (b'{"text": "a", "client_message_id": 1}', JSON, 422),
    "huge body": (b'{"text": "' + b"x" * 300_000 + b'"}', JSON, 413),
    "form": (b"text=a&client_message_id=one", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "JSON as text": (b'{"text": "a", "client_message_id": "one"}', {"Content-Type": "text/plain"}, 415),
    "no type": (b'{"text": "a", "client_message_id": "one"}', {}, 415),
    "multipart": (b"--x--", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    "length no number": (b"{}", JSON | {"Content-Length": "many"}, 413),
}
# name: (method, path, expected status)
ADDRESSES: dict[str, tuple[str, str, int]] = {
    "no such route": ("GET", "/nothing", 404),
    "wrong method": ("PUT", "/conversations", 405),
    "id of another shape": ("GET", "/conversations/1", 404),
    "id of another noun": ("GET", "/conversations/{user_id}", 404),
    "id with SQL": ("GET", "/conversations/x'%20OR%20'1'='1", 404),
    "id with NUL": ("GET", "/conversations/%00", 404),
    "id with a path": ("GET", "/conversations/..%2f..%2fetc", 404),
    "id in bad UTF-8": ("GET", "/conversations/%ff%fe", 404),
    "turn as a query": ("GET", "/turns/x'%20OR%20ExecutionStatus='Running'/history", 404),
    "limit zero": ("GET", "/conversations?limit=0", 422),
    "limit too large": ("GET", "/conversations?limit=101", 422),
    "limit no number": ("GET", "/conversations?limit=many", 422),
    "cursor made up": ("GET", "/conversations?cursor=AAAA", 422),
    "cursor with NUL": ("GET", "/conversations?cursor=%00", 422),
    "cursor in bad UTF-8": ("GET", "/users?cursor=%ff", 200),
    "cursor too long": ("GET", "/users?cursor=" + "x" * 201, 422),
    "cursor beyond every number": ("GET", "/conversations/{conversation_id}/messages?cursor=99999999999999999999", 422),
    "negative cursor": ("GET", "/audit?cursor=-1", 422),
    "wait too long": ("POST", "/conversations/{conversation_id}/messages?wait=61", 422),
    "wait for ever": ("POST", "/conversations/{conversation_id}/messages?wait=inf", 422),
    "wait NaN": ("POST", "/conversations/{conversation_id}/messages?wait=nan", 422),
    "unknown state": ("GET", "/approvals?state=all", 422),
}


@pytest.fixture
async def log() -> AsyncIterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as entries:
        yield entries


def assert_problem(answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(document)
    assert document["status"] == status
    assert "Traceback" not in answer.text
    assert "sqlalchemy" not in answer.text.lower()


class TestBadInput:
    @pytest.mark.parametrize("name", BODIES)
    async def test_a_bad_message_is_refused(self, house, ana, conversation_id, log, name):
        content, headers, status = BODIES[name]
        before = await stored(house)
        answer = await ana.ask("POST", f"/conversations/{conversation_id}/messages", content=content, headers=headers)

        assert_problem(answer, status)
        assert await stored(house) == before
        assert [entry for entry in log if entry["log_level"] in {"error", "critical"}] == []

    @pytest.mark.parametrize("name", ADDRESSES)
    async def test_a_bad_address_is_refused(self, house, ana, conversation_id, log, name):
        method, path, status = ADDRESSES[name]
        path = path.replace("{conversation_id}", conversation_id).replace("{user_id}", ana.principal.user_id)
        before = await stored(house)
        answer = await ana.ask(method, path, json=GOOD if method == "POST" else None)

        if status == 200:
            assert answer.json()["items"] is not None
        else:
            assert_problem(answer, status)
        assert await stored(house) == before
        assert [entry for entry in log if entry["log_level"] in {"error", "critical"}] == []

    async def test_what_is_wrong_is_named(self, ana, conversation_id):
        body = {"text": 1, "role": "assistant"}
        answer = await ana.ask("POST", f"/conversations/{conversation_id}/messages", json=body)

        assert {one["where"] for one in answer.json()["errors"]} == {
            "body.text",
            "body.client_message_id",
            "body.role",
        }

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (GOOD | {"text": "a\x00b"}, "Text must not contain the NUL character."),
            ({"text": "Hello"}, "client_message_id: Field required."),
            (GOOD | {"x" * 1000: 1}, f"{'x' * 64}: Extra inputs are not permitted."),
            ([], "body: Input should be a valid dictionary or object to extract fields from."),
        ],
    )
    async def test_one_wrong_field_is_told_with_its_reason(self, ana, conversation_id, body, said):
        answer = await ana.ask("POST", f"/conversations/{conversation_id}/messages", json=body)

        assert answer.json()["detail"] == said

    async def test_a_body_without_a_length_is_counted_as_it_comes(self, ana, conversation_id):
        read = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal read
            while True:
                read += 65_536
                yield b" " * 65_536

        path = f"/conversations/{conversation_id}/messages"
        answer = await ana.ask("POST", path, content=endless(), headers=JSON)

        assert_problem(answer, 413)
        assert read < 1_000_000

    async def test_the_same_name_twice_means_the_last(self, ana, conversation_id):
        content = b'{"text": "first", "text": "second", "client_message_id": "twice"}'
        path = f"/conversations/{conversation_id}/messages"
        said = await ana.ask("POST", path, content=content, headers=JSON)
        found = await ana.ask("GET", f"/messages/{said.json()['message_id']}")

        assert found.json()["text"] == "second"

    @pytest.mark.parametrize("mode", ["live", "", None, 1, "FULL"])
    async def test_an_unknown_mode_is_an_error(self, ana, mode):
        assert_problem(await ana.ask("POST", "/conversations", json={"mode": mode}), 422)

    @pytest.mark.parametrize("role", ["superuser", "", None, "Owner"])
    async def test_an_unknown_role_is_an_error(self, ana, role):
        assert_problem(await ana.ask("POST", "/invitations", json={"email": "a@x.test", "role": role}), 422)

    async def test_an_unknown_door_is_an_error(self, ana):
        assert_problem(await ana.ask("POST", "/conversations", json={}, headers={"X-Assent-Door": "back"}), 422)


class TestSurprise:
    async def test_an_error_nobody_foresaw_tells_its_number_only(self, house, ana, log, monkeypatch):
        async def explode(*_: Any, **__: Any) -> None:
            message = "the secret is 4711"
            raise ZeroDivisionError(message)

        monkeypatch.setattr("core.store.conversations.page", explode)
        answer = await ana.ask("GET", "/conversations")
        logged = [entry for entry in log if entry["log_level"] == "error"]

        assert_problem(answer, 500)
        assert "4711" not in answer.text
        assert answer.json()["incident"] == logged[0]["incident"]

    async def test_a_database_that_is_away_is_unavailable(self, ana, monkeypatch):
        async def refuse(*_: Any, **__: Any) -> None:
            message = "connect to 10.0.0.1"
            raise ConnectionRefusedError(message)

        monkeypatch.setattr("core.store.conversations.page", refuse)
        answer = await ana.ask("GET", "/conversations")

        assert_problem(answer, 503)
        assert answer.headers["retry-after"]
        assert "10.0.0.1" not in answer.text


class TestHeaders:
    @pytest.mark.parametrize("path", ["/", f"{API}/health", f"{API}/me", f"{API}/nothing"])
    async def test_every_answer_is_locked_down(self, nobody, path):
        headers = (await nobody.get(path)).headers

        assert "default-src 'self'" in headers["content-security-policy"] or path == "/"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"

    async def test_other_origins_get_no_leave_unless_named(self, ana):
        answer = await ana.ask("GET", "/me", headers={"Origin": "https://evil.test"})

        assert "access-control-allow-origin" not in answer.headers

    async def test_the_access_log_has_no_query(self, ana, log):
        await ana.ask("GET", "/conversations?limit=7&cursor=private")

        assert "private" not in str(log)
        assert [entry["path"] for entry in log if entry["event"] == "request"] == [f"{API}/conversations"]
