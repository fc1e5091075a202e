"""Webhooks on the command line, against the real doors: the secret is shown once."""

import pytest

from cli.talk import webhooks
from cli.talk.ending import ServerError


class TestWebhooks:
    async def test_are_made_listed_tested_and_disabled(self, server, screen):
        made, listed, told = screen(), screen(), screen()
        await webhooks.create_webhook(server, made, "https://93.184.216.34/assent", ["approval.requested"])
        secret = made.out.getvalue().split()[-1]
        webhook_id = made.notices.getvalue().split()[0]
        await webhooks.test_webhook(server, screen(), webhook_id)
        await webhooks.list_deliveries(server, told, webhook_id)
        await webhooks.disable_webhook(server, screen(), webhook_id)
        await webhooks.list_webhooks(server, listed)

        assert secret.startswith("whsec_")
        assert "approval.requested" in made.notices.getvalue()
        assert "waiting" in told.out.getvalue()
        assert "disabled" in listed.out.getvalue()
        assert secret not in listed.out.getvalue()

    async def test_to_an_address_within_are_refused(self, server, screen):
        with pytest.raises(ServerError):
            await webhooks.create_webhook(server, screen(), "https://127.0.0.1/assent", [])
