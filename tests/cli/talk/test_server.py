"""Tokens: kept for their owner only, rotated once however many commands run at once."""

import asyncio
import stat

import httpx
import pytest

from cli.talk.ending import NOT_SIGNED_IN, REFUSED, UNREACHABLE, ServerError, exit_code
from cli.talk.server import open_server
from core.errors import AssentError, NotSignedIn, Unavailable


class Tokens:
    """Rotates as the server does: a refresh token that comes twice ends the sign-in."""

    def __init__(self) -> None:
        self.number = 1
        self.is_over = False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/auth/refresh"):
            await asyncio.sleep(0)
            self.is_over = self.is_over or f"refresh-{self.number}" not in request.content.decode()
            if self.is_over:
                return httpx.Response(401, json={"code": "not_signed_in", "detail": "Over."})
            self.number += 1
            tokens = {"access_token": f"access-{self.number}", "refresh_token": f"refresh-{self.number}"}
            return httpx.Response(200, json=tokens | {"expires_in": 900})
        if request.headers["authorization"] != f"Bearer access-{self.number}":
            return httpx.Response(401, json={"code": "not_signed_in", "detail": "Stale."})
        return httpx.Response(200, json={"door": request.headers["x-assent-door"]})


class TestServer:
    async def test_two_commands_at_once_rotate_once(self, signed_in):
        tokens = Tokens()
        store = signed_in("http://server.test", seconds=0)

        async def command() -> object:
            async with open_server(store, httpx.MockTransport(tokens)) as server:
                return await server.get("/health")

        answers = list(await asyncio.gather(*(command() for _ in range(3))))

        assert answers == [{"door": "cli"}] * 3
        assert tokens.number == 2

    async def test_a_token_that_the_server_refuses_is_renewed(self, signed_in):
        tokens = Tokens()
        store = signed_in("http://server.test")
        tokens.number = 1
        async with open_server(store, httpx.MockTransport(tokens)) as server:
            server.credentials = server.credentials.model_copy(
                update={"access_token": server.credentials.refresh_token}
            )

            assert await server.get("/health") == {"door": "cli"}

    async def test_an_ended_sign_in_says_so(self, signed_in):
        tokens = Tokens()
        tokens.is_over = True
        async with open_server(signed_in("http://server.test", 0), httpx.MockTransport(tokens)) as server:
            with pytest.raises(NotSignedIn, match="assent login"):
                await server.get("/health")

    async def test_the_file_is_for_its_owner_only_and_repr_hides_tokens(self, signed_in):
        store = signed_in("http://server.test")
        file = store.folder / "credentials.json"

        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "refresh-1" not in repr(store.read())
        assert [one.name for one in store.folder.iterdir()] == ["credentials.json"]

    async def test_a_problem_document_is_an_error_with_its_code(self, signed_in):
        problem = {"code": "expired", "detail": "Too late.", "status": 409, "decided_by": None}
        transport = httpx.MockTransport(lambda _: httpx.Response(409, json=problem))
        async with open_server(signed_in("http://server.test"), transport) as server:
            with pytest.raises(ServerError, match="Too late") as caught:
                await server.post("/approvals/x/decision")

        assert (caught.value.named, caught.value.more, exit_code(caught.value)) == (
            "expired",
            {"decided_by": None},
            REFUSED,
        )

    @pytest.mark.parametrize("content", [b"<html>", b"[]", b"null", b""])
    async def test_an_error_that_is_no_problem_document_is_still_one_sentence(self, signed_in, content):
        transport = httpx.MockTransport(lambda _: httpx.Response(502, content=content))
        async with open_server(signed_in("http://server.test"), transport) as server:
            with pytest.raises(ServerError, match="502"):
                await server.get("/health")


class TestExitCode:
    @pytest.mark.parametrize(
        ("error", "code"), [(NotSignedIn("x"), NOT_SIGNED_IN), (Unavailable("x"), UNREACHABLE), (AssentError("x"), 1)]
    )
    def test_each_kind_has_its_own(self, error, code):
        assert exit_code(error) == code
