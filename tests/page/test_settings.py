"""How the workspace is run, and a person's own: chats, who stands in for them, what they always allowed."""

from datetime import timedelta

import pytest
from playwright.async_api import expect

from core.clock import now
from tests.page.stage import WORKSPACE

pytestmark = pytest.mark.browser


IDENTITY = {
    "id": "idn_1", "user_id": "usr_1", "channel": "telegram", "account": "bot", "external_id": "440",
    "shown_as": "@ana", "linked_at": now().isoformat(), "broken_at": None, "unlinked_at": None,
}  # fmt: skip


class TestOperation:
    async def test_everything_is_stopped_in_one_step_and_a_yes(self, stage, home):
        stopped = WORKSPACE | {
            "operation_mode": "emergency", "mode_changed_at": now().isoformat(), "mode_changed_by_name": "Ana",
        }  # fmt: skip
        stage.answers["PUT /workspace/mode"] = [(200, stopped)]
        await home.get_by_role("button", name="Stop everything").click()
        asked = home.get_by_role("alertdialog", name="Stop everything?")
        await asked.get_by_role("button", name="Stop all that has not begun").click()

        assert await stage.got("PUT /workspace/mode") == {"mode": "emergency"}
        await expect(
            home.get_by_role("alert").filter(has_text="Emergency: nothing that has not begun is done. Ana")
        ).to_be_visible()
        await expect(home.get_by_label("Operation")).to_have_value("emergency")

    async def test_a_no_changes_nothing(self, stage, home):
        await home.get_by_label("Operation").select_option("Autonomous")
        await home.get_by_role("alertdialog").get_by_role("button", name="Cancel").click()

        await expect(home.get_by_label("Operation")).to_have_value("assisted")
        assert stage.sent("PUT /workspace/mode") == []

    async def test_a_member_is_told_and_switches_nothing(self, stage, page):
        stage.me = stage.me | {"role": "member"}
        for label, text in {"E-mail": "ana@example.com", "Password": "a long password"}.items():
            await page.get_by_label(label).fill(text)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("Operation: Assisted")).to_be_visible()
        changed = {"operation_mode": "emergency", "mode_changed_at": now().isoformat(), "mode_changed_by_name": "Ben"}
        await stage.happen("workspace.updated", stream="mbr_1", workspace=WORKSPACE | changed)

        await expect(page.get_by_text("Ben stopped it")).to_be_visible()
        await expect(page.get_by_role("button", name="Stop everything")).to_have_count(0)
        await expect(page.get_by_role("button", name="Switch to Assisted")).to_have_count(0)


class TestSettings:
    @pytest.fixture
    async def settings(self, stage, home):
        telegram = {"name": "telegram", "title": "Telegram", "state": "live", "known_as": "@assent_bot"}
        stage.lists["channels"] = [telegram, {"name": "slack", "title": "Slack", "state": "off"}]
        stage.lists["users"] = [
            {"id": "usr_1", "name": "Ana", "kind": "person"},
            {"id": "usr_2", "name": "Ben", "kind": "person"},
            {"id": "usr_3", "name": "bot", "kind": "service"},
        ]
        grant = {
            "id": "grt_1", "user_id": "usr_1", "user_name": "Ana", "action": "tasks.delete", "patterns": {},
            "says": {"title": 'exactly "Buy milk"'}, "granted_by": "usr_1", "granted_by_name": "Ana", "uses": 1,
            "uses_left": 2, "created_at": now().isoformat(), "expires_at": (now() + timedelta(days=1)).isoformat(),
            "revoked_at": None,
        }  # fmt: skip
        stage.lists["grants"] = [grant]
        stage.answers["POST /grants/grt_1/revoke"] = [(200, grant | {"revoked_at": now().isoformat()})]
        await home.get_by_role("button", name="Settings").click()
        return home.get_by_role("dialog", name="Settings")

    async def test_a_chat_is_linked_by_a_code_said_there(self, stage, home, settings):
        made = {"link": {}, "code": "AbCdEfGhIj", "address": "https://t.me/assent_bot?start=AbCdEfGhIj"}
        stage.answers["POST /identities/links"] = [(201, made)]
        await settings.get_by_role("button", name="Link Telegram").click()
        await expect(settings.get_by_text("AbCdEfGhIj", exact=True)).to_be_visible()
        await expect(settings.get_by_role("link", name="Open Telegram")).to_have_attribute("href", made["address"])
        await stage.happen("identity.changed", stream="mbr_1", identity=IDENTITY)
        await expect(settings.get_by_text("@ana is linked.")).to_be_visible()
        await settings.get_by_role("button", name="Unlink @ana").click()
        await home.get_by_role("alertdialog").get_by_role("button", name="Unlink @ana").click()

        await stage.got("DELETE /identities/idn_1")

    async def test_a_pairing_shows_whose_account_it_is_before_it_is_confirmed(self, stage, home, settings):
        asked = {"id": "lnk_1", "kind": "pairing", "channel": "telegram", "shown_as": "@mallory", "external_id": "666"}
        stage.answers["POST /identities/pairings/look-up"] = [(200, asked)]
        stage.answers["POST /identities/pairings/confirm"] = [(201, IDENTITY | {"shown_as": "@mallory"})]
        await settings.get_by_label("Code from the chat").fill("K7QM-2XRT")
        await settings.get_by_role("button", name="Look who it is").click()
        await expect(settings.get_by_text("@mallory on telegram asks to be you.")).to_be_visible()
        assert stage.sent("POST /identities/pairings/confirm") == []
        await settings.get_by_role("button", name="Yes, @mallory is mine").click()

        assert await stage.got("POST /identities/pairings/confirm") == {"code": "K7QM-2XRT"}

    async def test_somebody_decides_while_one_is_away(self, stage, home, settings):
        made = {
            "id": "dlg_1", "from_user_id": "usr_1", "from_name": "Ana", "to_user_id": "usr_2", "to_name": "Ben",
            "risks": ["write"], "actions": None, "note": None, "starts_at": now().isoformat(),
            "ends_at": (now() + timedelta(days=1)).isoformat(), "created_at": now().isoformat(), "revoked_at": None,
        }  # fmt: skip
        stage.answers["POST /delegations"] = [(201, made)]
        stage.answers["POST /delegations/dlg_1/revoke"] = [(200, made | {"revoked_at": now().isoformat()})]
        await expect(settings.get_by_label("Who decides for you").locator("option")).to_have_text(["Ben"])
        await settings.get_by_label("Only what").select_option("writes")
        await settings.get_by_role("button", name="Let them decide").click()
        sent = await stage.got("POST /delegations")
        await expect(settings.get_by_text("Ben decides for Ana until")).to_be_visible()
        await settings.get_by_role("button", name="End: Ben decides for Ana").click()

        await expect(settings.get_by_text("(over)")).to_be_visible()
        assert (sent["to_user_id"], sent["risks"]) == ("usr_2", ["write"])

    async def test_what_was_always_allowed_is_listed_and_ended(self, stage, home, settings):
        await expect(settings.get_by_text('title: exactly "Buy milk"')).to_be_visible()
        await settings.get_by_role("button", name="End: tasks.delete for Ana").click()
        await home.get_by_role("alertdialog").get_by_role("button", name="End it").click()

        await stage.got("POST /grants/grt_1/revoke")
        await expect(settings.locator("[data-grant=grt_1]")).to_contain_text("over")
