"""Webhooks over REST: the secret shown once, what ends told in the same transaction, a disabled one told nothing."""

from sqlalchemy import select

from core.tables.connect import Delivery, Webhook
from tests.api.rest.test_asks import approve, ask, kinds


class TestWebhooks:
    async def test_the_secret_is_shown_once_and_sealed(self, house, ana):
        made = await ana.ask("POST", "/webhooks", json={"url": "https://example.com/hook"})
        listed = await ana.ask("GET", "/webhooks")

        async with house.database.reading() as session:
            row = await session.get_one(Webhook, made.json()["webhook"]["id"])
        secret = made.json()["secret"]
        assert (made.status_code, secret[:6]) == (201, "whsec_")
        assert secret not in listed.text
        assert secret.encode() not in row.ciphertext
        assert listed.json()["items"][0]["events"] == ["approval.closed"]

    async def test_the_end_is_told_in_the_transaction_that_makes_it(self, house, ana):
        secret = await ana.ask("POST", "/webhooks/callback-secret")
        await ana.ask("POST", "/webhooks", json={"url": "https://example.com/hook"})
        await ana.ask("POST", "/webhooks", json={"url": "https://example.com/x", "events": ["call.unknown"]})
        approval_id = (await ask(ana, callback_url="https://example.com/done")).json()["id"]
        await approve(house, approval_id)

        async with house.database.reading() as session:
            rows = list((await session.execute(select(Delivery).order_by(Delivery.id))).scalars())
        assert secret.status_code == 201
        assert sorted(row.body.get("url", "") for row in rows) == ["", "https://example.com/done"]
        for row in rows:
            payload = row.body["payload"]
            assert payload["type"] == "approval.closed"
            assert payload["data"]["approval"]["state"] == "approved"

    async def test_a_callback_needs_a_secret_that_signs_it(self, ana):
        assert (await ask(ana, callback_url="https://example.com/done")).status_code == 422

    async def test_a_disabled_one_is_told_nothing(self, house, ana):
        made = await ana.ask("POST", "/webhooks", json={"url": "https://example.com/hook"})
        webhook_id = made.json()["webhook"]["id"]
        sent = await ana.ask("POST", f"/webhooks/{webhook_id}/test")
        await ana.ask("POST", f"/webhooks/{webhook_id}/disable")
        refused = await ana.ask("POST", f"/webhooks/{webhook_id}/test")
        await approve(house, (await ask(ana)).json()["id"])
        listed = (await ana.ask("GET", f"/webhooks/{webhook_id}/deliveries")).json()

        assert (sent.status_code, refused.status_code) == (202, 409)
        assert [one["kind"] for one in listed["items"]] == ["webhook"]
        assert {"webhook.created", "webhook.disabled"} <= await kinds(house)
