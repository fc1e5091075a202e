"""How services are, at the doors: real outcomes, a check on demand, and what cannot be used here."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.reach import Reach
from connectors.registry import Registry, native_connectors
from core.clock import now
from core.permissions import Role
from core.smtp import SmtpSettings
from core.store import service_health
from core.store.work import change
from tests.api.rest.house import House, Person
from tests.doubles.smtp_server import SmtpDouble, smtp_server


@pytest.fixture(scope="module")
def mail(tmp_path_factory) -> Iterator[SmtpDouble]:
    with smtp_server(tmp_path_factory.mktemp("mail")) as running:
        yield running


@pytest.fixture
async def mailing(house: House, mail: SmtpDouble) -> str:
    """The house has a mail server; gives its name."""
    reach = Reach(SmtpSettings(host="127.0.0.1", port=mail.port, tls="none", from_address="desk@home.example"))
    registry = Registry.load(native_connectors(house.database, house.settings.files_dir, reach))
    house.rest.state.context = replace(house.rest.state.context, registry=registry)
    return f"127.0.0.1:{mail.port}"


@pytest.fixture
def listed(ana: Person):
    async def look(connector: str):
        return next(one for one in (await ana.ask("GET", "/connectors")).json()["items"] if one["id"] == connector)

    return look


@pytest.fixture
def note(house: House):
    """Write how a call to a service went."""

    async def noted(connector: str, host: str, *, ok: bool, **more):
        async with change(house.database, house.rooms) as work:
            await service_health.note(work, connector, host, ok=ok, **more)

    return noted


class TestConnectors:
    async def test_what_cannot_be_used_here_says_what_it_needs(self, listed):
        email, web = await listed("email"), await listed("web")

        assert (email["configured"], email["needs"], email["actions"]) == (False, "the setting `smtp`", [])
        assert (web["configured"], web["needs"], web["health"]) == (True, None, [])

    async def test_their_health_is_what_became_of_calls(self, listed, note, mailing):
        await note("email", mailing, ok=True)
        await note("email", mailing, ok=False, failures=3, detail="It is away.")
        (view,) = (await listed("email"))["health"]

        assert (view["host"], view["breaker"], view["failures"], view["detail"]) == (
            mailing,
            "closed",
            3,
            "It is away.",
        )
        assert view["last_failure_at"] >= view["last_ok_at"]

    async def test_what_people_read_is_shown_to_nobody(self, ana, note):
        for host in ("#aaaa", "#bbbb"):
            await note("web", host, ok=True)
        found = (await ana.ask("GET", "/connectors/health")).json()["items"]

        assert [(one["connector"], one["host"]) for one in found] == [("web", "")]


class TestCheck:
    async def test_it_really_asks(self, ana, listed, mail, mailing):
        mail.be("ok")
        before = len(mail.lines)
        told = (await ana.ask("POST", "/connectors/email/check")).json()

        assert (told["ok"], told["code"]) == (True, "ok")
        assert [line["stage"] for line in mail.lines[before:]] == ["ehlo"]
        assert (await listed("email"))["health"][0]["last_ok_at"] is not None

    async def test_no_answer_is_said_and_kept(self, house, ana, listed):
        reach = Reach(SmtpSettings(host="127.0.0.1", port=1, tls="none", from_address="desk@home.example"))
        registry = Registry.load(native_connectors(house.database, house.settings.files_dir, reach))
        house.rest.state.context = replace(house.rest.state.context, registry=registry)
        told = (await ana.ask("POST", "/connectors/email/check")).json()
        (view,) = (await listed("email"))["health"]

        assert (told["ok"], view["detail"]) == (False, told["sentence"])
        assert view["last_ok_at"] is None

    async def test_a_good_answer_ends_a_rest_and_owners_hear_of_it(self, house, ana, note, listed, mailing):
        until = now() + timedelta(minutes=5)
        await note("email", mailing, ok=False, breaker="open", open_until=until, detail="It is away.")
        await ana.ask("POST", "/connectors/email/check")
        (view,) = (await listed("email"))["health"]

        assert (view["breaker"], view["open_until"]) == ("closed", None)

    @pytest.mark.parametrize(("name", "status"), [("tasks", 409), ("email", 404), ("nothing", 404)])
    async def test_what_has_no_service_cannot_be_asked(self, ana, name, status):
        assert (await ana.ask("POST", f"/connectors/{name}/check")).status_code == status

    @pytest.mark.parametrize("role", [Role.APPROVER, Role.MEMBER, Role.VIEWER])
    async def test_only_owners_and_admins_ask(self, house, workspace_id, role):
        person = await house.person(workspace_id, role)

        assert (await person.ask("POST", "/connectors/email/check")).status_code == 403
