"""Who may not listen any more hears no more, soon; and how the gateway ends."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import delete, select, update

from api.gateway import gateway as gateway_module
from core.clock import now
from core.events import TurnDelta
from core.ids import new_id
from core.keys import load_ring
from core.permissions import Role, Scope
from core.store import api_tokens, audience, people
from core.store.audit import AuditTrail
from core.store.work import change
from core.tables.people import Membership, Session, User
from core.tables.talk import Participant
from core.tables.work import Turn
from tests.api.gateway.stage import Listener, Stage, eventually, open_stage

pytestmark = pytest.mark.server


def delta(conversation: str, text: str = "Hel", offset: int = 0) -> TurnDelta:
    return TurnDelta(conversation_id=conversation, turn_id=new_id("trn"), attempt=1, offset=offset, text=text)


def _is_off(listener: Listener) -> bool:
    return not listener.client.connected


class TestAuthority:
    async def test_who_is_removed_hears_no_more(self, stage: Stage, ana, bo) -> None:
        conversation = await stage.conversation(ana, bo)
        stays, goes = await stage.listener(ana), await stage.listener(bo)
        for one in (stays, goes):
            await one.call("conversation.join", {"conversation_id": conversation})

        async with stage.database.writing() as session:
            await session.execute(delete(Participant).where(Participant.user_id == bo.user_id))
        await stage.append(conversation)
        await stays.until(lambda it: it.numbers(conversation) == [1])
        await goes.until(lambda it: bool(it.named("error")))

        assert goes.numbers(conversation) == []
        assert goes.named("error")[0]["code"] == "not_found"
        assert goes.client.connected

    async def test_volatile_events_alone_do_not_keep_a_removed_member(self, stage: Stage, ana) -> None:
        conversation = await stage.conversation(ana)
        listener = await stage.listener(ana)
        await listener.call("conversation.join", {"conversation_id": conversation})

        async with stage.database.writing() as session:
            await session.execute(delete(Participant).where(Participant.user_id == ana.user_id))
        stage.rooms.say(conversation, delta(conversation))
        await listener.until(lambda it: bool(it.named("error")))

        assert listener.named("error")[0]["stream"] == conversation

    async def test_a_token_that_is_revoked_closes_its_sockets(self, stage: Stage, ana) -> None:
        audit = AuditTrail(load_ring(stage.settings.data_dir))
        async with change(stage.database, stage.rooms) as work:
            view, secret = await api_tokens.create(work, audit, ana, name="x", days=1, scopes={Scope.READ, Scope.CHAT})
        who = await stage.tokens.authenticate(stage.database, secret)
        conversation = await stage.conversation(ana)
        listener = await stage.listener(who, token=secret)
        await listener.call("conversation.join", {"conversation_id": conversation})
        await stage.append(conversation)
        await listener.until(lambda it: it.numbers(conversation) == [1])
        refused = await listener.client.call(
            "decision.submit", {"approval_id": new_id("apr"), "verdict": "approve", "digest": "d", "decision_id": "d"}
        )

        async with change(stage.database, stage.rooms) as work:
            await api_tokens.revoke(work, audit, ana, view.id)
        await eventually(lambda: not listener.client.connected)
        await stage.tokens.aclose()

        assert refused["error"]["code"] == "not_allowed"
        assert listener.named("error")[-1]["code"] == "not_signed_in"

    async def test_a_program_is_no_client_of_a_person_whatever_it_says(self, stage: Stage, ana) -> None:
        audit = AuditTrail(load_ring(stage.settings.data_dir))
        async with change(stage.database, stage.rooms) as work:
            _, secret = await api_tokens.create(work, audit, ana, name="x", days=1, scopes={Scope.READ, Scope.CHAT})
        who = await stage.tokens.authenticate(stage.database, secret)
        for one, token in ((who, secret), (ana, stage.token(ana))):
            listener = await stage.listener(one, door="web", token=token)
            sent = {"conversation_id": await stage.conversation(ana), "text": "Hello", "client_message_id": "1"}
            assert (await listener.call("message.send", sent))["ok"]
        async with stage.database.reading() as session:
            doors = (await session.execute(select(Turn.door).order_by(Turn.created_at))).scalars().all()
        await stage.tokens.aclose()

        assert doors == ["socket", "web"]

    @pytest.mark.parametrize("end", ["session", "user", "membership"])
    async def test_whose_sign_in_ends_is_disconnected(self, stage: Stage, ana, end) -> None:
        listener = await stage.listener(ana)
        statement = {
            "session": update(Session).where(Session.id == ana.session_id).values(revoked_at=now()),
            "user": update(User).where(User.id == ana.user_id).values(disabled_at=now()),
            "membership": update(Membership).where(Membership.id == ana.membership_id).values(disabled_at=now()),
        }[end]

        async with stage.database.writing() as session:
            await session.execute(statement)
            left = await audience.standing(session, [ana.session_id])
        await eventually(lambda: not listener.client.connected)

        assert left == {}
        assert listener.named("error")[0]["code"] == "not_signed_in"

    async def test_a_new_role_holds_on_an_open_socket(self, stage: Stage, ana) -> None:
        conversation = await stage.conversation(ana)
        listener = await stage.listener(ana)
        async with stage.database.writing() as session:
            await session.execute(update(Membership).where(Membership.id == ana.membership_id).values(role=Role.VIEWER))

        async def is_refused() -> bool:
            said = {"conversation_id": conversation, "text": "Hi", "client_message_id": new_id("try")}
            answer = await listener.call("message.send", said)
            await asyncio.sleep(0.1)
            return not answer["ok"] and answer["error"]["code"] == "not_allowed"

        await eventually(is_refused)

        assert listener.client.connected

    async def test_both_ways_to_know_a_person_agree(self, stage: Stage, ana) -> None:
        async with stage.database.reading() as session:
            standing = await audience.standing(session, [ana.session_id])
            known = await people.principal_of(session, ana.session_id, ana.user_id, ana.workspace_id)

        assert standing == {ana.session_id: known}


class TestEnd:
    async def test_clients_are_told_and_nothing_stays(self, tmp_path) -> None:
        async with open_stage(tmp_path) as stage:
            ana = await stage.person(await stage.workspace())
            listeners = [await stage.listener(ana, (transport,)) for transport in ("websocket", "polling")]

            await stage.gateway.aclose()
            for listener in listeners:
                await eventually(partial(_is_off, listener))

            assert stage.gateway.stats()["connections"] == 0
            assert stage.gateway.stats()["streams"] == 0

    def test_a_round_comes_soon_enough(self) -> None:
        assert gateway_module.POLL_SECONDS <= 2
