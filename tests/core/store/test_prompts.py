"""Requests of the OpenAI-compatible door on both databases: known again, placed, with what the client brought."""

from typing import Any

import pytest

from core.clock import now
from core.ids import new_id, secret_hash
from core.permissions import Door, Principal, Role, Scope
from core.store import api_tokens, audience, brought, conversations, prompts, submissions
from core.store.audit import AuditTrail
from core.store.prompts import Line
from core.store.work import change
from core.tables.people import ApiToken
from tests.world import World


class Desk(World):
    """Keeps requests."""

    async def keep(self, who: Principal, lines: list[Line], conversation_id: str | None = None) -> str:
        """Write a request with its message, in a new conversation if none is named; its conversation."""
        async with change(self.database, self.rooms) as work:
            await prompts.lock(work.session, who)
            if conversation_id is None:
                view = await conversations.create(work, who, Door.OPENAI, title="x", mode="full")
                await brought.keep(work, who, Door.OPENAI, view, brought.exchanges(lines[:-1]))
                conversation_id = view.id
            client_id = new_id("cli")
            await prompts.add(
                work,
                who,
                conversation_id,
                client_message_id=client_id,
                talk=prompts.fingerprint(lines),
                instructions="Be short.",
                asked="assent",
            )
            await submissions.add_message(work, who, Door.OPENAI, conversation_id, lines[-1].text, client_id)
        return conversation_id


def lines(*texts: str) -> list[Line]:
    return [Line(role="assistant" if place % 2 else "user", text=text) for place, text in enumerate(texts)]


@pytest.fixture
def desk(database) -> Desk:
    return Desk(database)


class TestPrompts:
    async def test_a_request_is_known_again_and_placed(self, desk):
        ana, bo = await desk.person(), await desk.person()
        kept = await desk.keep(ana, lines("Name?", "Ana", "And?"))
        talk = prompts.fingerprint(lines("Name? ", "Ana", "And?"))

        same: dict[str, Any] = {"asked": "assent", "instructions": "Be short."}
        async with desk.database.reading() as session:
            for other in ({"asked": "assent:quick"}, {"instructions": None}, {"instructions": "Be long."}):
                assert await prompts.repeated(session, ana, talk, None, 1, **(same | other)) is None
            found = [await prompts.repeated(session, ana, talk, None, tries, **same) for tries in (None, 0, 1)]
            of_bo = await prompts.repeated(session, bo, talk, None, 1, **same)
            place = await prompts.before(session, ana, lines("Name?", "Ana", "And?"))
            unheard = await prompts.before(session, ana, lines("Name?", "Ana", "And?", "Something", "More")[:4])
            theirs = await prompts.before(session, bo, lines("Name?", "Ana", "And?"))
        assert [one and one.conversation_id for one in found] == [kept, None, kept]
        assert (of_bo, theirs, unheard) == (None, None, None)
        assert place == kept

    async def test_only_the_newest_place_is_gone_on_from(self, desk):
        ana = await desk.person()
        kept = await desk.keep(ana, lines("Hi"))
        await desk.keep(ana, lines("Hi", "", "More"), kept)

        async with desk.database.reading() as session:
            assert await prompts.before(session, ana, lines("Hi")) is None
            assert await prompts.before(session, ana, lines("Hi", "", "More")) == kept

    async def test_what_was_brought_is_told_as_it_would_be_fetched(self, desk):
        ana = await desk.person()
        kept = await desk.keep(ana, lines("One", "Two", "Three"))

        assert await desk.told(kept) == [
            "conversation.created",
            "message.created",
            "message.created",
            "turn.finished",
            "message.created",
            "turn.started",
        ]

    def test_the_newest_of_what_was_brought_is_kept(self):
        many = lines(*(str(number) for number in range(200)))
        large = lines("x" * 200_000, "y", "z", "w")

        assert brought.exchanges(many)[-1] == ("198", "199")
        assert len(brought.exchanges(many)) == brought.MOST_TURNS
        assert brought.exchanges(large) == [("z", "w")]


class TestTokens:
    async def test_a_token_stands_for_its_person_until_it_is_revoked(self, desk, ring):
        ana = await desk.person(role=Role.OWNER)
        audit = AuditTrail(ring)
        async with change(desk.database, desk.rooms) as work:
            view, secret = await api_tokens.create(work, audit, ana, name="x", days=1, scopes={Scope.READ})
        conversation_id = await desk.conversation(ana)

        async def stands() -> tuple[bool, bool, bool]:
            async with desk.database.reading() as session:
                found = await audience.behind(session, secret_hash(secret))
                standing = await audience.standing(session, {view.id, ana.session_id})
                admitted = await audience.admitted(session, conversation_id, {view.id})
                inbox = await audience.admitted(session, ana.membership_id, {view.id})
            return found is not None, set(standing) == {view.id}, admitted == inbox == {view.id}

        held = await stands()
        async with change(desk.database, desk.rooms) as work:
            await api_tokens.revoke(work, audit, ana, view.id)
        assert (held, await stands()) == ((True, True, True), (False, False, False))

    async def test_its_use_is_written_once_a_minute(self, desk, ring):
        ana = await desk.person()
        async with change(desk.database, desk.rooms) as work:
            view, _ = await api_tokens.create(work, AuditTrail(ring), ana, name="x", days=1, scopes={Scope.READ})
        first = now()
        for at in (first, first + api_tokens.USED_EVERY / 2):
            async with desk.database.scribbling() as session:
                await api_tokens.note_used(session, view.id, at)

        assert (await desk.get(ApiToken, view.id)).last_used_at == first
