"""Conversations, on both databases: who sees them, in which order, and what is told about them."""

import pytest
from sqlalchemy import select

from core.clock import now
from core.errors import Invalid, NotAllowed, NotFound
from core.ids import new_id
from core.permissions import Door, Principal, Role
from core.rooms import LocalRooms
from core.store import audit as trail
from core.store import conversations, streams
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import change
from core.tables.people import Membership, User, Workspace
from core.tables.records import StoredEvent
from core.tables.talk import Participant
from core.views import ConversationView


class Scene:
    """A workspace and its people."""

    def __init__(self, database: Database, rooms: LocalRooms, audit: AuditTrail) -> None:
        self.database, self.rooms, self.audit = database, rooms, audit
        self.workspace_id = new_id("wks")

    async def person(self, role: Role = Role.MEMBER, workspace_id: str | None = None) -> Principal:
        home = workspace_id or self.workspace_id
        user = User(id=new_id("usr"), email=f"{new_id('e')}@x.test", name="One", created_at=now())
        member = Membership(
            id=new_id("mbr"), workspace_id=home, user_id=user.id, role=role, epoch="e", created_at=now()
        )
        async with self.database.writing() as session:
            if await session.get(Workspace, home) is None:
                session.add(Workspace(id=home, name="Work", created_at=now()))
            session.add(user)
            await session.flush()
            session.add(member)
        return Principal(
            user_id=user.id,
            workspace_id=home,
            membership_id=member.id,
            session_id=new_id("ses"),
            role=role,
            name="One",
        )

    async def begin(self, who: Principal, title: str = "") -> ConversationView:
        async with change(self.database, self.rooms) as work:
            return await conversations.create(work, who, Door.REST, title=title, mode="full")

    async def join(self, who: Principal, conversation_id: str) -> None:
        async with self.database.writing() as session:
            session.add(Participant(conversation_id=conversation_id, user_id=who.user_id, joined_at=now()))

    async def told(self, stream_id: str) -> list[tuple[int, str]]:
        async with self.database.reading() as session:
            rows = await session.execute(
                select(StoredEvent).where(StoredEvent.stream_id == stream_id).order_by(StoredEvent.seq)
            )
            return [(row.seq, row.type) for row in rows.scalars()]


@pytest.fixture
def scene(database: Database, rooms: LocalRooms, audit: AuditTrail) -> Scene:
    return Scene(database, rooms, audit)


@pytest.fixture
async def ana(scene: Scene) -> Principal:
    return await scene.person()


@pytest.fixture
async def bo(scene: Scene) -> Principal:
    return await scene.person()


class TestConversations:
    async def test_every_change_is_told_to_the_room_and_to_each_inbox(self, scene, ana, bo):
        made = await scene.begin(ana, "One")
        await scene.join(bo, made.id)
        async with change(scene.database, scene.rooms) as work:
            await conversations.alter(work, ana, made.id, title="Two")
            await conversations.delete(work, scene.audit, ana, made.id)
            await conversations.restore(work, scene.audit, ana, made.id)

        later = ["conversation.updated", "conversation.deleted", "conversation.updated"]
        assert await scene.told(made.id) == list(enumerate(["conversation.created", *later], 1))
        assert await scene.told(ana.membership_id) == list(enumerate(["conversation.created", *later], 1))
        assert await scene.told(bo.membership_id) == list(enumerate(later, 1))

    async def test_state_plus_events_is_a_fresh_fetch(self, scene, ana):
        made = await scene.begin(ana, "One")
        async with change(scene.database, scene.rooms) as work:
            await conversations.alter(work, ana, made.id, title="Two")
        async with scene.database.reading() as session:
            fetched = await conversations.one(session, ana, made.id)
            events = await streams.after(session, made.id, "e", 0)

        assert events[-1].event["conversation"] == fetched.model_dump(mode="json")

    async def test_a_deleted_one_is_hidden_until_it_is_restored(self, scene, ana):
        made = await scene.begin(ana)
        async with change(scene.database, scene.rooms) as work:
            await conversations.delete(work, scene.audit, ana, made.id)
            with pytest.raises(NotFound):
                await conversations.one(work.session, ana, made.id)
            with pytest.raises(NotFound):
                await conversations.alter(work, ana, made.id, title="No")
            gone, _, _ = await conversations.page(work.session, ana, limit=10, cursor=None, deleted=True)
            listed, _, total = await conversations.page(work.session, ana, limit=10, cursor=None)
            restored = await conversations.restore(work, scene.audit, ana, made.id)

        assert ([one.id for one in gone], listed, total) == ([made.id], [], 0)
        assert restored.deleted_at is None

    async def test_who_hid_it_and_brought_it_back_is_in_the_trail_without_its_words(self, scene, ana):
        made = await scene.begin(ana, "Divorce")
        async with change(scene.database, scene.rooms) as work:
            await conversations.delete(work, scene.audit, ana, made.id)
        async with change(scene.database, scene.rooms) as work:
            await conversations.restore(work, scene.audit, ana, made.id)
        async with scene.database.reading() as session:
            rows = await trail.about(session, ana.workspace_id, {made.id})

        told = [(row.kind, row.actor, row.body) for row in rows]
        assert told == [("conversation.deleted", ana.user_id, {}), ("conversation.restored", ana.user_id, {})]

    async def test_only_its_owner_deletes_it(self, scene, ana, bo):
        made = await scene.begin(ana)
        await scene.join(bo, made.id)
        async with change(scene.database, scene.rooms) as work:
            with pytest.raises(NotAllowed):
                await conversations.delete(work, scene.audit, bo, made.id)

    async def test_a_viewer_begins_none(self, scene):
        viewer = await scene.person(Role.VIEWER)
        with pytest.raises(NotAllowed):
            await scene.begin(viewer)

    async def test_pages_are_newest_first_and_lose_and_repeat_nothing(self, scene, ana, bo):
        made = [(await scene.begin(ana, str(n))).id for n in range(7)]
        await scene.begin(bo)
        seen: list[str] = []
        cursor: str | None = None
        async with scene.database.reading() as session:
            for _ in range(4):
                items, cursor, total = await conversations.page(session, ana, limit=2, cursor=cursor)
                seen += [one.id for one in items]

        assert (seen, cursor, total) == (made[::-1], None, 7)

    async def test_being_in_it_does_not_show_it_in_another_workspace(self, scene, ana):
        made = await scene.begin(ana)
        elsewhere = await scene.person(workspace_id=new_id("wks"))
        same_person = elsewhere.model_copy(update={"user_id": ana.user_id})
        async with scene.database.reading() as session:
            with pytest.raises(NotFound):
                await conversations.one(session, same_person, made.id)

    @pytest.mark.parametrize("cursor", ["", "x", "AAAA", "MjAyNg", "é", "\ud800"])
    async def test_a_cursor_is_only_what_a_list_gave(self, scene, ana, cursor):
        async with scene.database.reading() as session:
            with pytest.raises(Invalid):
                await conversations.page(session, ana, limit=2, cursor=cursor)
