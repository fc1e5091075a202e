"""`assent tokens` against the real doors: shown once, listed without it, revoked."""

from cli.talk.tokens import create_token, list_tokens, revoke_token
from core.permissions import Scope


class TestTokens:
    async def test_a_token_is_made_listed_and_revoked(self, house, server, screen):
        made = screen()
        await create_token(server, made, "nightly", 30, [Scope.READ])
        secret = made.out.getvalue().split()[-1]
        token_id = next(word for word in made.notices.getvalue().split() if word.startswith("atk_"))
        program = await house.http(secret)
        before = (await program.get("/api/v1/me")).status_code
        listed = screen()
        await list_tokens(server, listed, everybody=False)
        await revoke_token(server, screen(), token_id)

        assert secret.startswith("ast_")
        assert "may read; until " in made.notices.getvalue()
        assert "nightly" in listed.out.getvalue()
        assert secret not in listed.out.getvalue()
        assert (before, (await program.get("/api/v1/me")).status_code) == (200, 401)
