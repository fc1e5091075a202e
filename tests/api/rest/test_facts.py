"""Facts over REST: whose they are, one for each thing said, and gone for good when they are forgotten."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from core.clock import now
from core.ids import new_id
from core.permissions import Role
from core.store import facts, forgetting
from core.store.facts import Origin
from core.store.work import change
from core.tables.memory import Fact, MemoryChange, Summary
from core.tables.records import StoredEvent
from core.tables.talk import Message
from core.tables.work import Outbox
from tests.api.rest.house import House, Person
from tests.api.rest.test_talk import say


async def add(who: Person, text: str) -> dict[str, Any]:
    answer = await who.ask("POST", "/facts", json={"text": text})
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


async def inbox(house: House, who: Person) -> list[StoredEvent]:
    async with house.database.reading() as session:
        mine = select(StoredEvent).where(
            StoredEvent.stream_id == who.principal.membership_id, StoredEvent.type == "facts.changed"
        )
        return list((await session.execute(mine)).scalars())


async def count(house: House, table: Any, *where: Any) -> int:
    async with house.database.reading() as session:
        return (await session.execute(select(func.count()).select_from(table).where(*where))).scalar_one()


async def said(house: House, who: Person, conversation_id: str, text: str, fact: str) -> tuple[str, str]:
    """Say something, and let a fact be learnt from it; gives the ids of the fact and the message."""
    message = (await say(who, conversation_id, text, new_id("cli"))).json()
    origin = Origin(
        workspace_id=who.principal.workspace_id,
        user_id=who.principal.user_id,
        how="model",
        conversation_id=conversation_id,
        turn_id=message["turn_id"],
        message_id=message["message_id"],
    )
    async with change(house.database, house.rooms) as work:
        view, _ = await facts.add(work, origin, fact)
    return view.id, message["message_id"]


def raw(folder: Path) -> bytes:
    """All bytes of the database's files."""
    return b"".join(file.read_bytes() for file in sorted(folder.glob("assent.db*")))


class TestFacts:
    async def test_the_story_of_one(self, house, ana):
        made = await ana.ask("POST", "/facts", json={"text": "  I like\n green tea. "})
        path = f"/facts/{made.json()['id']}"
        edited = await ana.ask("PATCH", path, json={"text": "I like black tea."})
        shown = await ana.ask("GET", path)
        gone = await ana.ask("DELETE", path)
        missing = await ana.ask("GET", path)

        assert (made.status_code, made.json()["text"], made.json()["origin"]) == (201, "I like green tea.", "written")
        assert edited.json() == shown.json()
        assert shown.json()["text"] == "I like black tea."
        assert (gone.status_code, missing.status_code) == (204, 404)
        assert await count(house, Fact) == 0
        assert await count(house, MemoryChange, MemoryChange.ref == made.json()["id"]) == 3

    async def test_what_says_the_same_is_one_fact(self, house, ana):
        first = await add(ana, "I like Green tea.")
        again = await ana.ask("POST", "/facts", json={"text": "i  like green TEA"})

        assert (again.status_code, again.json()) == (200, first)
        assert await count(house, Fact) == 1
        assert len(await inbox(house, ana)) == 1

    async def test_an_edit_to_what_is_known_is_refused(self, ana):
        first, second = await add(ana, "One."), await add(ana, "Two.")

        answer = await ana.ask("PATCH", f"/facts/{second['id']}", json={"text": "one"})

        assert (answer.status_code, answer.json()["fact_id"]) == (409, first["id"])

    async def test_the_list_has_a_cursor_and_finds(self, ana):
        made = [(await add(ana, f"Thing {n} costs 10%"))["id"] for n in range(5)]
        await add(ana, "GRÜẞE aus Köln")
        first = (await ana.ask("GET", "/facts?limit=3&q=THING")).json()
        second = (await ana.ask("GET", f"/facts?limit=3&q=thing&cursor={first['next']}")).json()

        assert [one["id"] for one in first["items"] + second["items"]] == made[::-1]
        assert (first["total"], second["next"]) == (5, None)
        assert (await ana.ask("GET", "/facts?q=0%25")).json()["total"] == 5
        assert (await ana.ask("GET", "/facts?q=0_")).json()["total"] == 0
        assert (await ana.ask("GET", "/facts?q=grüsse")).json()["total"] == 1
        assert (await ana.ask("GET", "/facts?cursor=x' OR 1=1")).status_code == 422

    @pytest.mark.parametrize(
        ("text", "status"),
        [
            ("x" * 1001, 413),
            (" \n ", 422),
            ("...", 422),
            ("my password is hunter2", 422),
            ("card 4111 1111 1111 1111", 422),
            ("key sk-abcdefghijklmnopqrstuvwx", 422),
        ],
    )
    async def test_what_cannot_be_a_fact_is_refused(self, house, ana, text, status):
        answer = await ana.ask("POST", "/facts", json={"text": text})

        assert answer.status_code == status
        assert await count(house, Fact) == 0

    async def test_a_person_has_at_most_a_thousand(self, ana, monkeypatch):
        monkeypatch.setattr(facts, "MOST", 2)
        for text in ("One", "Two"):
            await add(ana, text)

        full = await ana.ask("POST", "/facts", json={"text": "Three"})

        assert (full.status_code, full.json()["code"]) == (409, "facts_full")
        assert (await ana.ask("POST", "/facts", json={"text": "one"})).status_code == 200

    async def test_they_are_each_persons_own(self, house, ana, bo, eve):
        hers = await add(ana, "I like tea.")
        theirs = [await add(one, "I like tea.") for one in (bo, eve)]

        assert len({hers["id"], *(one["id"] for one in theirs)}) == 3
        for other in (bo, eve):
            assert (await other.ask("GET", "/facts")).json()["total"] == 1
            assert (await other.ask("GET", f"/facts/{hers['id']}")).status_code == 404
            assert (await other.ask("PATCH", f"/facts/{hers['id']}", json={"text": "x"})).status_code == 404
            assert (await other.ask("DELETE", f"/facts/{hers['id']}")).status_code == 404
        assert len(await inbox(house, bo)) == 1

    async def test_events_carry_no_text(self, house, ana):
        fact = await add(ana, "I was born in Riga.")
        await ana.ask("PATCH", f"/facts/{fact['id']}", json={"text": "I was born in Tartu."})
        await ana.ask("DELETE", f"/facts/{fact['id']}")

        events = await inbox(house, ana)
        assert [one.body for one in events] == [{"type": "facts.changed", "fact_ids": [fact["id"]]}] * 3


class TestForgetting:
    async def test_the_talk_in_which_it_was_said_is_recalled_no_more(self, house, ana, conversation_id):
        fact_id, message_id = await said(house, ana, conversation_id, "I live in Riga", "The user lives in Riga.")
        _, other_id = await said(house, ana, conversation_id, "I like tea", "The user likes tea.")

        await ana.ask("DELETE", f"/facts/{fact_id}")

        shown = (await ana.ask("GET", f"/messages/{message_id}")).json()
        assert shown["text"] == "I live in Riga"
        assert shown["forgotten_at"] is not None
        assert (await ana.ask("GET", f"/messages/{other_id}")).json()["forgotten_at"] is None
        assert await count(house, MemoryChange, MemoryChange.ref == shown["turn_id"]) == 1
        assert await count(house, StoredEvent, StoredEvent.type == "message.updated") == 1

    async def test_summaries_that_may_tell_of_it_are_dropped(self, house, ana, conversation_id):
        early = await self._summary(house, conversation_id, 1, upto_place=0)
        fact_id, _ = await said(house, ana, conversation_id, "I live in Riga", "The user lives in Riga.")
        late = await self._summary(house, conversation_id, 2, upto_place=10**6)

        await ana.ask("DELETE", f"/facts/{fact_id}")

        listed = (await ana.ask("GET", f"/conversations/{conversation_id}/summaries")).json()
        assert [one["id"] for one in listed["items"]] == [early]
        assert late not in str(listed)

    async def _summary(self, house: House, conversation_id: str, version: int, upto_place: int) -> str:
        row = Summary(
            id=new_id("sum"),
            conversation_id=conversation_id,
            version=version,
            upto_place=upto_place,
            text="They live somewhere.",
            model="m",
            created_at=now(),
        )
        async with house.database.writing() as session:
            session.add(row)
        return row.id

    async def test_a_message_is_forgotten_by_whoever_said_it(self, house, ana, conversation_id):
        message_id = (await say(ana, conversation_id)).json()["message_id"]

        first = await ana.ask("POST", f"/messages/{message_id}/forget")
        again = await ana.ask("POST", f"/messages/{message_id}/forget")

        assert first.json()["forgotten_at"] is not None
        assert first.json() == again.json()
        assert await count(house, StoredEvent, StoredEvent.type == "message.updated") == 1

    async def test_another_participant_may_not(self, house, ana, bo, conversation_id):
        from core.tables.talk import Participant

        message_id = (await say(ana, conversation_id)).json()["message_id"]
        async with house.database.writing() as session:
            session.add(Participant(conversation_id=conversation_id, user_id=bo.principal.user_id, joined_at=now()))

        assert (await bo.ask("POST", f"/messages/{message_id}/forget")).status_code == 403
        assert (await ana.ask("GET", f"/messages/{message_id}")).json()["forgotten_at"] is None

    async def test_a_viewer_may_still_forget(self, house, workspace_id):
        vic = await house.person(workspace_id, Role.VIEWER)
        fact = await add(vic, "I like tea.")

        assert (await vic.ask("DELETE", f"/facts/{fact['id']}")).status_code == 204

    async def test_nobody_forgets_for_another(self, house, ana, bo, conversation_id):
        """A fact that names somebody else's message forgets the fact alone."""
        _, message_id = await said(house, ana, conversation_id, "I live in Riga", "The user lives in Riga.")
        async with change(house.database, house.rooms) as work:
            await forgetting.forget_said(work, message_id, bo.principal.user_id)

        async with house.database.reading() as session:
            assert (await session.get_one(Message, message_id)).forgotten_at is None


class TestRawFiles:
    WORDS = "Quixotic zebras yodel"

    async def test_what_only_the_fact_said_is_in_no_file(self, house, ana, tmp_path):
        fact = await add(ana, self.WORDS)
        edited = await add(ana, f"{self.WORDS} twice")
        assert self.WORDS.encode() in raw(tmp_path)

        await ana.ask("DELETE", f"/facts/{fact['id']}")
        await ana.ask("PATCH", f"/facts/{edited['id']}", json={"text": "Something else."})
        assert await count(house, Outbox, Outbox.kind == "wipe") == 2
        assert await house.database.wipe_log()

        found = raw(tmp_path).lower()
        assert b"something else" in found
        assert self.WORDS.lower().encode() not in found

    async def test_the_message_keeps_its_own_words_and_nothing_else_does(self, house, ana, conversation_id, tmp_path):
        fact_id, message_id = await said(
            house, ana, conversation_id, f"By the way: {self.WORDS}!", f"The user says: {self.WORDS}"
        )
        await ana.ask("DELETE", f"/facts/{fact_id}")
        assert await house.database.wipe_log()

        assert b"The user says" not in raw(tmp_path)
        assert self.WORDS.encode() in raw(tmp_path)
        assert self.WORDS in (await ana.ask("GET", f"/messages/{message_id}")).json()["text"]

    async def test_a_log_that_somebody_reads_is_wiped_later(self, house, ana, tmp_path):
        fact = await add(ana, self.WORDS)
        reader = sqlite3.connect(tmp_path / "assent.db", isolation_level=None)
        try:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM facts").fetchone()
            await ana.ask("DELETE", f"/facts/{fact['id']}")

            assert not await house.database.wipe_log()
        finally:
            reader.close()
        assert await house.database.wipe_log()
        assert self.WORDS.encode() not in raw(tmp_path)
