"""Linked accounts, groups, managers and services on the command line, against the real doors."""

import pytest

from cli.talk import groups, identities, people, services
from cli.talk.ending import ServerError, WrongUsage
from core.permissions import Scope
from core.store import pairings
from core.store.identities import Account
from core.store.work import change
from tests.api.rest.house import House, Person


@pytest.fixture
async def bo(house: House, ana: Person) -> Person:
    return await house.person(ana.principal.workspace_id)


class TestLinks:
    @pytest.fixture
    async def code(self, house: House) -> str:
        account = Account(channel="telegram", account="bot", external_id="7", shown_as="Ana", thread="7")
        async with change(house.database, house.rooms) as work:
            return await pairings.begin_pairing(work, account)

    async def test_a_code_for_the_chat_is_shown(self, server, screen):
        made = screen()
        await identities.begin_link(server, made, "telegram")

        assert len(made.out.getvalue().split()[-1]) >= 22

    async def test_a_code_of_the_chat_links_and_is_listed_and_removed(self, server, screen, code):
        made, listed, empty = screen(), screen(), screen()
        await identities.confirm_link(server, made, code, yes=True)
        await identities.list_identities(server, listed, None)
        identity_id = listed.out.getvalue().splitlines()[1].split()[0]
        await identities.remove_identity(server, screen(), identity_id)
        await identities.list_identities(server, empty, None)

        assert f"Linked Ana (telegram 7): {identity_id}" in made.out.getvalue()
        assert identity_id not in empty.out.getvalue()

    async def test_nothing_is_linked_unasked(self, server, screen, code):
        listed = screen()
        with pytest.raises(WrongUsage):
            await identities.confirm_link(server, screen(), code, yes=False)
        await identities.list_identities(server, listed, None)

        assert "idn_" not in listed.out.getvalue()


class TestGroups:
    async def test_are_named_and_filled_by_address(self, server, screen, bo):
        email = (await bo.ask("GET", "/me")).json()["email"]
        await groups.create_group(server, screen(), "finance", "Who pays")
        await groups.add_member(server, screen(), "finance", email)
        shown, listed = screen(), screen()
        await groups.show_group(server, shown, "finance")
        await groups.list_groups(server, listed)
        await groups.remove_member(server, screen(), "finance", email)
        await groups.delete_group(server, screen(), "finance")

        assert bo.principal.user_id in shown.out.getvalue()
        assert "Who pays" in listed.out.getvalue()
        with pytest.raises(ServerError):
            await groups.show_group(server, screen(), "finance")


class TestPeople:
    async def test_report_to_a_manager_and_are_one_person(self, server, screen, ana, bo):
        user, owner = bo.principal.user_id, ana.principal.user_id
        await people.set_manager(server, screen(), user, owner)
        await people.state_same(server, screen(), user, owner)
        stated = await server.get(f"/users/{user}")
        await people.set_manager(server, screen(), user, None)
        await people.state_same(server, screen(), user, None)
        after = await server.get(f"/users/{user}")

        assert (stated["manager_id"], stated["same_person_as"]) == (owner, owner)
        assert (after["manager_id"], after["same_person_as"]) == (None, None)


class TestServices:
    async def test_a_service_gets_in_by_its_key_until_it_is_disabled(self, house, server, screen):
        made, keys = screen(), screen()
        await services.create_service(server, made, "deploy bot", "member", [Scope.READ])
        program = await house.http(made.out.getvalue().split()[-1])
        service_id = next(word for word in made.notices.getvalue().split() if word.startswith("usr_"))
        before = (await program.get("/api/v1/me")).status_code
        await services.new_key(server, screen(), service_id, "CI", 5, [])
        await services.list_keys(server, keys, service_id)
        await services.disable_service(server, screen(), service_id)

        assert (before, (await program.get("/api/v1/me")).status_code) == (200, 401)
        assert "ask read" in keys.out.getvalue()
