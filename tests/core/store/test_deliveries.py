"""Who is shown what became of the messages about a request: whom they were for, who asked, who runs the workspace."""

from dataclasses import dataclass

import pytest

from core.permissions import Principal, Role, Scope
from core.store import deliveries
from core.store.database import Database
from core.store.deliveries import Wanted
from core.store.work import change
from core.views import DeliveryView
from tests.workers.delivering.conftest import Office

_DETAIL = "more than 3 prompts in an hour: it is in the inbox"


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


@dataclass
class Scene:
    """A request of Ana's that owners decide, whose prompt to Olga was dropped."""

    office: Office
    ana: Principal
    olga: Principal
    approval_id: str

    async def seen(self, who: Principal, approval_id: str | None = None) -> list[DeliveryView]:
        async with self.office.database.reading() as session:
            found, _, total = await deliveries.page(session, who, approval_id=approval_id, limit=50, cursor=None)
        assert total == len(found)
        return found


@pytest.fixture
async def scene(office: Office) -> Scene:
    ana = await office.person()
    olga = await office.person(ana.workspace_id, Role.OWNER)
    await office.account(olga)
    conversation_id = await office.conversation(ana)
    approval = await office.approval(ana, conversation_id=conversation_id)
    (row,) = await office.prompts(approval)
    async with change(office.database, office.rooms) as work:
        await deliveries.give_up(work, row, _DETAIL, deliveries.DROPPED)
    return Scene(office, ana, olga, approval.id)


class TestOfOneRequest:
    async def test_who_asked_sees_that_a_prompt_never_arrived_and_why(self, scene: Scene):
        (found,) = await scene.seen(scene.ana, scene.approval_id)

        assert (found.user_id, found.channel, found.state) == (scene.olga.user_id, "telegram", "dropped")
        assert found.detail == _DETAIL

    @pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
    async def test_who_runs_the_workspace_sees_it_too_and_nothing_that_leads_to_a_talk(self, scene: Scene, role: Role):
        other = await scene.office.person(scene.ana.workspace_id, role)
        (found,) = await scene.seen(other, scene.approval_id)

        assert (found.state, found.detail) == ("dropped", _DETAIL)
        assert (found.conversation_id, found.message_id) == (None, None)

    async def test_nobody_is_shown_where_it_went_or_what_it_said(self, scene: Scene):
        (found,) = await scene.seen(scene.ana, scene.approval_id)

        assert set(DeliveryView.model_fields).isdisjoint({"thread", "external_ref", "body"})
        assert f"chat-{scene.olga.user_id}" not in found.model_dump_json()

    async def test_whom_it_was_for_sees_it_whole(self, scene: Scene):
        (found,) = await scene.seen(scene.olga)

        assert found.conversation_id is not None
        assert await scene.seen(scene.olga, scene.approval_id) == [found]

    @pytest.mark.parametrize("role", [Role.APPROVER, Role.MEMBER, Role.VIEWER])
    async def test_nobody_else_of_the_workspace_sees_it(self, scene: Scene, role: Role):
        other = await scene.office.person(scene.ana.workspace_id, role)

        assert await scene.seen(other, scene.approval_id) == []

    async def test_nobody_of_another_workspace_sees_it(self, scene: Scene):
        stranger = await scene.office.person(role=Role.OWNER)

        assert await scene.seen(stranger, scene.approval_id) == []

    async def test_a_token_without_the_scope_shows_an_owner_what_was_sent_to_them(self, scene: Scene):
        other = await scene.office.person(scene.ana.workspace_id, Role.OWNER)
        program = other.model_copy(update={"scopes": frozenset({Scope.READ})})

        assert await scene.seen(program, scene.approval_id) == []

    async def test_without_a_request_the_list_is_of_ones_own(self, scene: Scene):
        admin = await scene.office.person(scene.ana.workspace_id, Role.ADMIN)

        assert await scene.seen(scene.ana) == []
        assert await scene.seen(admin) == []

    async def test_what_programs_are_told_of_it_is_not_among_them(self, scene: Scene):
        hook = Wanted(
            workspace_id=scene.ana.workspace_id,
            kind=deliveries.WEBHOOK,
            ref=scene.approval_id,
            channel="webhook",
            account="whk_1",
            thread="x",
            body={},
            approval_id=scene.approval_id,
        )
        async with change(scene.office.database, scene.office.rooms) as work:
            await deliveries.put(work, hook)

        assert [one.kind for one in await scene.seen(scene.ana, scene.approval_id)] == ["prompt"]
