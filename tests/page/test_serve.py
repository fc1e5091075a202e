"""The page's files arrive under a policy that lets no other script run."""

import httpx
import pytest
from starlette.applications import Starlette

from api.page.serve import routes


class TestRoutes:
    @pytest.fixture
    async def client(self):
        transport = httpx.ASGITransport(Starlette(routes=routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://page.test") as client:
            yield client

    @pytest.mark.parametrize(
        ("path", "media_type"),
        [("/", "text/html"), ("/page/main.js", "text/javascript"), ("/page/style.css", "text/css")],
    )
    async def test_each_file_has_its_type_and_the_policy(self, client, path, media_type):
        response = await client.get(path)
        policy = response.headers["content-security-policy"]

        assert response.status_code == 200
        assert response.headers["content-type"].startswith(media_type)
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy

    async def test_what_the_browser_has_is_not_sent_again(self, client):
        first = await client.get("/page/main.js")
        again = await client.get("/page/main.js", headers={"If-None-Match": first.headers["etag"]})

        assert (again.status_code, again.content) == (304, b"")

    async def test_the_page_itself_holds_no_script_and_no_style(self, client):
        html = (await client.get("/")).text

        assert "<script>" not in html
        assert "<style" not in html
        assert " style=" not in html

    @pytest.mark.parametrize("path", ["/page/serve.py", "/page/../serve.py", "/page/%2e%2e/serve.py", "/page/"])
    async def test_nothing_else_is_served(self, client, path):
        assert (await client.get(path)).status_code == 404
