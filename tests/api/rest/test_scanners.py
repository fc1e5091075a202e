"""What looks at links before people do, as mail scanners and previews, decides nothing, with a session or without."""

from typing import Any

import pytest
from sqlalchemy import select

from core.tables.consent import Approval, Decision
from tests.api.rest.house import House, Person

LOOKERS = (
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "TelegramBot (like TwitterBot)",
    "WhatsApp/2.23",
    "SkypeUriPreview Preview/0.5",
    "Mozilla/5.0 (compatible; Microsoft Safelinks)",
    "Barracuda Sentinel (EE)",
    "Proofpoint URL Defense",
    "GoogleImageProxy",
    "Twitterbot/1.0",
    "facebookexternalhit/1.1",
    "",
)
PATHS = (
    "/",
    "/?approval={0}&verdict=approve",
    "/api/v1/approvals/{0}",
    "/api/v1/approvals/{0}?verdict=approve&digest={1}&decision_id=x",
    "/api/v1/approvals/{0}/decision",
    "/api/v1/approvals/{0}/decision?verdict=approve&digest={1}&decision_id=x",
    "/api/v1/approvals/{0}/consume",
    "/api/v1/approvals/{0}/withdraw",
)


@pytest.fixture
async def approval(house: House, ana: Person) -> Approval:
    conversation_id = (await ana.ask("POST", "/conversations", json={})).json()["id"]
    said = {"text": "Hi", "client_message_id": "1"}
    answer = await ana.ask("POST", f"/conversations/{conversation_id}/messages", json=said)
    return await house.approval(ana, answer.json()["turn_id"])


async def stored(house: House, approval: Approval) -> dict[str, Any]:
    async with house.database.reading() as session:
        return (await session.get_one(Approval, approval.id)).model_dump()


class TestScanner:
    @pytest.mark.parametrize("signed_in", [True, False])
    async def test_looking_at_links_changes_nothing(self, house, ana, approval, signed_in):
        http = await house.http(ana.token if signed_in else None)
        before = await stored(house, approval)
        for looker in LOOKERS:
            for path in PATHS:
                for method in ("GET", "HEAD"):
                    where = path.format(approval.id, approval.digest)
                    answer = await http.request(method, where, headers={"User-Agent": looker, "Purpose": "prefetch"})
                    assert answer.status_code < 500

        assert await stored(house, approval) == before
        async with house.database.reading() as session:
            assert (await session.execute(select(Decision))).all() == []
