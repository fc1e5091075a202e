"""One's own profile on the command line, through the real doors."""

import pytest

from cli.talk import profile
from cli.talk.ending import ServerError


class TestProfile:
    async def test_it_is_set_bit_by_bit_and_emptied(self, opening, screen):
        made = screen()
        nothing = {"name": None, "locale": None, "time_zone": None}
        async with opening() as opened:
            await profile.change(opened, made, {**nothing, "locale": "de-AT"}, {"answers": "short", "tone": "dry"})
            await profile.change(opened, made, {**nothing, "time_zone": "Europe/Vienna"}, {"tone": ""})
            await profile.change(opened, made, {**nothing, "locale": ""}, {})
            await profile.show(opened, made)
        lines = made.out.getvalue().splitlines()

        assert lines[-3:] == ["Language: not said", "Time zone: Europe/Vienna", "Preference answers: short"]

    async def test_what_cannot_be_is_told(self, opening, screen):
        async with opening() as opened:
            with pytest.raises(ServerError, match="time_zone"):
                await profile.change(opened, screen(), {"time_zone": "Mars"}, {})
