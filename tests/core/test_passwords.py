"""Passwords cost what OWASP asks for, and wait in a short line."""

import asyncio

from core.errors import Unavailable
from core.passwords import Passwords


class TestPasswords:
    async def test_the_right_one_fits_and_no_other(self):
        passwords = Passwords()
        hashed = await passwords.hash("a sentence only Ana knows")

        assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert await passwords.verify(hashed, "a sentence only Ana knows")
        assert not await passwords.verify(hashed, "another sentence")
        assert not await passwords.verify("no hash at all", "a sentence only Ana knows")

    async def test_nobody_has_no_password(self):
        assert not await Passwords().verify(None, "")

    async def test_a_long_line_is_not_joined(self):
        passwords = Passwords()
        answers = await asyncio.gather(*(passwords.verify(None, "x") for _ in range(40)), return_exceptions=True)

        shed = [one for one in answers if isinstance(one, Unavailable)]
        assert len(shed) == 40 - 18
        assert {one for one in answers if not isinstance(one, Exception)} == {False}
