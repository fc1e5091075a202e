"""Nothing but what a channel itself sends is believed, and nothing that anybody sends breaks the door."""

import json
import random

import pytest
from sqlalchemy import func, select

from core.tables.connect import Inbound
from tests.api.channels.conftest import ACCOUNT, SECRET, Bot, message, pressed

HEADER = "X-Telegram-Bot-Api-Secret-Token"
PATH = f"/hooks/telegram/{ACCOUNT}"


async def kept(bot: Bot) -> int:
    async with bot.house.database.reading() as session:
        return (await session.execute(select(func.count()).select_from(Inbound))).scalar_one()


def mutated(chance: random.Random, body: bytes) -> bytes:
    """Bits flipped, bytes cut out, put in twice, or all of it something else."""
    changed = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed))
        how = chance.randrange(4)
        if how == 0:
            changed[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            del changed[at : at + chance.randint(1, 40)]
        elif how == 2:
            changed[at:at] = changed[: chance.randint(1, 60)]
        else:
            changed[at : at + 1] = bytes([chance.randrange(256)])
        changed = changed or bytearray(b"{")
    return bytes(changed)


class TestHook:
    async def test_what_telegram_sends_is_kept_once(self, bot: Bot):
        update = message(5, "hello")
        statuses = [await bot.post(update), await bot.post(update)]

        assert (statuses, await kept(bot)) == ([200, 200], 1)

    @pytest.mark.parametrize("secret", ["", "x", SECRET[:-1], SECRET + "s", SECRET.upper()])
    async def test_a_wrong_secret_is_refused(self, bot: Bot, secret: str):
        status = await bot.post(message(5, "hello"), **{HEADER: secret})

        assert (status, await kept(bot)) == (401, 0)

    async def test_a_secret_sent_twice_is_refused(self, bot: Bot):
        headers = [(HEADER, SECRET), (HEADER, SECRET)]
        answer = await bot.http.post(PATH, json=message(5, "hello"), headers=headers)

        assert (answer.status_code, await kept(bot)) == (401, 0)

    async def test_another_account_or_channel_is_not_there(self, bot: Bot):
        headers = {HEADER: SECRET}
        paths = ("/hooks/telegram/7", f"/hooks/slack/{ACCOUNT}", "/hooks/telegram/..%2f")

        assert {(await bot.http.post(path, json={}, headers=headers)).status_code for path in paths} == {404}

    async def test_what_is_too_large_is_refused(self, bot: Bot):
        body = b"x" * (bot.house.settings.body_bytes + 1)

        assert (await bot.http.post(PATH, content=body, headers={HEADER: SECRET})).status_code == 413

    async def test_a_get_changes_nothing(self, bot: Bot):
        answer = await bot.http.get(PATH, headers={HEADER: SECRET})

        assert (answer.status_code, await kept(bot)) == (422, 0)

    @pytest.mark.server
    async def test_of_5000_mutated_calls_none_gets_in_and_none_breaks_it(self, bot: Bot):
        chance = random.Random(7)
        body = json.dumps(pressed(5, "a1:" + "x" * 22 + ":y")).encode()
        statuses = set()
        for _ in range(5000):
            secret = mutated(chance, SECRET.encode()).decode("latin-1")
            wrong = chance.random() < 0.2 or not secret.isprintable() or secret == SECRET
            given = {} if wrong else {HEADER.encode(): secret.encode("latin-1")}
            answer = await bot.http.post(PATH, content=mutated(chance, body), headers=given)
            statuses.add(answer.status_code)

        assert (statuses, await kept(bot)) == ({401}, 0)

    async def test_what_telegram_mangles_breaks_nothing(self, bot: Bot):
        chance = random.Random(8)
        body = json.dumps(message(5, "/start abc")).encode()
        statuses = set()
        for _ in range(300):
            answer = await bot.http.post(PATH, content=mutated(chance, body), headers={HEADER: SECRET})
            statuses.add(answer.status_code)

        assert statuses <= {200, 422}
