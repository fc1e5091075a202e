"""Every event, in both directions: nobody reaches or hears what is another's."""

from typing import Any

import pytest
from pydantic import BaseModel

from api.gateway.handlers import HANDLERS
from core.clock import now
from core.consent import Party, asks
from core.ids import new_id
from core.permissions import Principal
from core.store import streams
from core.store.work import change
from core.tables.consent import Approval
from core.tables.talk import Conversation, Message
from core.tables.work import ToolCall, Turn
from scripts.event_examples import DURABLE_EXAMPLES, VOLATILE_EXAMPLES
from tests.api.gateway.stage import Listener, Stage

pytestmark = pytest.mark.server

TRIES: dict[str, dict] = {
    "message.send": {"conversation_id": "conversation", "text": "Hi", "client_message_id": "m"},
    "message.edit": {"message_id": "message", "text": "Hello", "client_message_id": "e"},
    "turn.stop": {"turn_id": "turn"},
    "turn.regenerate": {"turn_id": "turn", "client_message_id": "g"},
    "conversation.stop": {"conversation_id": "conversation"},
    "turn.retry": {"turn_id": "turn", "client_message_id": "r"},
    "decision.submit": {"approval_id": "approval", "verdict": "approve", "digest": "0" * 64, "decision_id": "d"},
    "conversation.join": {"conversation_id": "conversation"},
    "conversation.resume": {"conversation_id": "conversation", "epoch": "epoch", "after_seq": 0},
    "typing": {"conversation_id": "conversation"},
    "read": {"conversation_id": "conversation", "position": 1},
}
OWN = {"conversation.leave", "inbox.resume", "workspace.mode"}  # take no id of another's, or tell nothing about it


@pytest.fixture
async def things(stage: Stage, ana: Principal) -> dict[str, str]:
    """A conversation of Ana's with a turn that waits for an approval, by the names in TRIES."""
    conversation = await stage.conversation(ana)
    await stage.append(conversation, 2)
    at = now()
    known: dict[str, Any] = {"conversation_id": conversation, "workspace_id": ana.workspace_id}
    turn = Turn(
        id=new_id("trn"),
        user_id=ana.user_id,
        message_id=new_id("msg"),
        state="failed",
        place=1,
        door="rest",
        created_at=at,
        **known,
    )
    message = Message(
        id=turn.message_id,
        turn_id=turn.id,
        position=1,
        author_id=ana.user_id,
        role="user",
        text="Delete it",
        channel="rest",
        created_at=at,
        **known,
    )
    about: dict[str, Any] = {"action": "files.delete", "risk": "destructive", "arguments": {}, "created_at": at}
    known["turn_id"] = turn.id
    call = ToolCall(
        id=new_id("cal"),
        user_id=ana.user_id,
        round=1,
        place=0,
        schema_digest="",
        effect="idempotent",
        verdict="ask",
        rule="",
        state="awaiting approval",
        **about,
        **known,
    )
    approval = Approval(
        id=new_id("apr"),
        tool_call_id=call.id,
        requester_id=ana.user_id,
        title="Delete",
        preview={"summary": "Deletes"},
        digest="0" * 64,
        state="pending",
        plan=asks(Party(requester=True)).model_dump(mode="json"),
        bound={},
        expires_at=at,
        **about,
        **known,
    )
    async with stage.database.writing() as session:
        for row in (turn, message, call, approval):
            session.add(row)
            await session.flush()
        epoch = (await session.get_one(Conversation, conversation)).epoch
    known_by_name = {"turn": turn.id, "message": message.id, "approval": approval.id}
    return {"conversation": conversation, "epoch": epoch} | known_by_name


def aimed(name: str, things: dict[str, str]) -> dict:
    return {
        field: things.get(value, value) if isinstance(value, str) else value for field, value in TRIES[name].items()
    }


class TestClientEvents:
    def test_all_are_tried(self) -> None:
        assert TRIES.keys() | OWN == HANDLERS.keys()

    @pytest.mark.parametrize("who", ["bo", "eve"])
    @pytest.mark.parametrize("name", TRIES)
    async def test_what_is_anothers_is_as_if_it_were_not_there(self, stage: Stage, things, name, who, bo, eve) -> None:
        stranger = await stage.listener({"bo": bo, "eve": eve}[who])
        told = list(stage.workflows.told)
        kinds = {"conversation": "cnv", "turn": "trn", "message": "msg", "approval": "apr"}
        nothing = {"epoch": "e"} | {thing: new_id(kind) for thing, kind in kinds.items()}

        of_another = await stranger.call(name, aimed(name, things))
        of_nobody = await stranger.call(name, aimed(name, nothing))
        await stage.append(things["conversation"])
        await stranger.call("conversation.leave", {"conversation_id": things["conversation"]})

        assert of_another["error"]["code"] == "not_found"
        assert of_another == of_nobody
        assert [heard for heard, _ in stranger.events] == ["connected"]
        assert stage.workflows.told == told

    @pytest.mark.parametrize("name", TRIES)
    async def test_the_owner_reaches_it(self, stage: Stage, ana, things, name) -> None:
        owner = await stage.listener(ana)

        answered = await owner.call(name, aimed(name, things))

        assert answered["ok"] or answered["error"]["code"] not in {"not_found", "invalid"}, answered

    async def test_another_persons_inbox_cannot_be_joined(self, stage: Stage, ana, bo) -> None:
        stranger = await stage.listener(bo)

        answered = await stranger.call("conversation.join", {"conversation_id": ana.membership_id})

        assert answered["error"]["code"] == "not_found"


class TestServerEvents:
    @pytest.fixture
    async def strangers(self, stage: Stage, bo, eve, things) -> list[Listener]:
        listeners = [await stage.listener(who) for who in (bo, eve)]
        for one in listeners:
            await one.call("conversation.join", {"conversation_id": things["conversation"]})
        return listeners

    @pytest.mark.parametrize("event", DURABLE_EXAMPLES, ids=lambda event: event.type)
    async def test_durable_ones_reach_members_only(self, stage: Stage, ana, things, strangers, event) -> None:
        member = await stage.listener(ana)
        await member.call("conversation.join", {"conversation_id": things["conversation"]})

        async with change(stage.database, stage.rooms) as work:
            await streams.append(work, things["conversation"], event)
            await streams.notify(work, ana.membership_id, event)
        await member.until(lambda it: len(it.named(event.type)) == 2)

        assert {payload["stream"] for payload in member.named(event.type)} == {
            things["conversation"],
            ana.membership_id,
        }
        assert member.named(event.type)[0]["event"] == event.model_dump(mode="json")
        await _heard_nothing(strangers)

    @pytest.mark.parametrize("event", VOLATILE_EXAMPLES, ids=lambda event: event.type)
    async def test_volatile_ones_reach_members_only(self, stage: Stage, ana, things, strangers, event) -> None:
        member = await stage.listener(ana)
        await member.call("conversation.join", {"conversation_id": things["conversation"]})

        stage.rooms.say(things["conversation"], event)
        await member.until(lambda it: bool(it.named(event.type)))

        assert member.named(event.type) == [event.model_dump(mode="json")]
        await _heard_nothing(strangers)

    async def test_who_has_not_signed_in_hears_nothing(self, stage: Stage, ana, things) -> None:
        raw = await stage.raw()
        event: BaseModel = VOLATILE_EXAMPLES[0]

        stage.rooms.say(things["conversation"], event)  # type: ignore[arg-type]
        await stage.append(things["conversation"])
        await raw.send('40{"token":"x"}')

        assert (await raw.next())[0] == "0"
        assert (await raw.next()).startswith("44")


async def _heard_nothing(strangers: list[Listener]) -> None:
    for one in strangers:
        await one.call("nothing.such", {})  # whatever was on its way has come before this answer
        assert [heard for heard, _ in one.events] == ["connected"]
