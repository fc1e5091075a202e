"""Signing in with a real OpenID provider, and what hostile browsers and other providers try on the way."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from sqlalchemy import select, update

from core.clock import now
from core.ids import new_id, secret_hash
from core.oidc_entries import OidcEntry
from core.permissions import Role
from core.settings import Settings
from core.tables.identity import Ceremony, OidcAccount
from core.tables.people import Invitation, User
from tests.api.rest.house import API, House
from tests.api.rest.signing import PASSWORD, Known, known, signed_in
from tests.doubles.oidc_provider import oidc_provider

pytestmark = pytest.mark.server

ORIGIN = "http://assent.test"
BEN = "ben@x.test"


def client(name: str) -> dict:
    """What the provider knows of us under a name."""
    back = f"{ORIGIN}{API}/auth/oidc/{name}/callback"
    return {"client_id": name, "client_secret": f"secret of {name} " * 3, "redirect_uris": [back]}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with oidc_provider(*(client(name) for name in ("trusted", "plain", "open"))) as address:
        yield address


@pytest.fixture(scope="module")
def other_issuer() -> Iterator[str]:
    with oidc_provider(client("other")) as address:
        yield address


@pytest.fixture
def settings(tmp_path, issuer, other_issuer) -> Settings:
    def entry(name: str, at: str, **more) -> OidcEntry:
        return OidcEntry(name=name, issuer=at, client_id=name, client_secret=client(name)["client_secret"], **more)

    providers = (
        entry("trusted", issuer, trust_email=True),
        entry("plain", issuer),
        entry("open", issuer, trust_email=True, role="member", allowed_domains=("x.test",)),
        entry("other", other_issuer),
    )
    return Settings(data_dir=tmp_path, public_url=ORIGIN, oidc=providers)


@dataclass
class Browser:
    """One browser: its cookies with us and with the provider."""

    here: httpx.AsyncClient
    there: httpx.AsyncClient

    async def begin(self, name: str, **body) -> str:
        answer = await self.here.post(f"{API}/auth/oidc/{name}/begin", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["url"]

    async def log_in(self, url: str, login: str) -> str:
        """Go through the provider's pages; gives the address that it sends the browser back to."""
        answer = await self.there.get(url)
        while answer.status_code == 303 and not answer.headers["location"].startswith(ORIGIN):
            page = urljoin(str(answer.url), answer.headers["location"])
            if "/interaction/" in page:
                form = {"prompt": "login", "login": login, "password": "any"}
                answer = await self.there.post(page, data=form)
            else:
                answer = await self.there.get(page)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def back(self, address: str) -> dict[str, str]:
        """Follow the way back; gives what the page is told."""
        answer = await self.here.get(address.removeprefix(ORIGIN))
        assert answer.status_code == 303, answer.text
        home, _, said = answer.headers["location"].partition("#")
        assert home == f"{ORIGIN}/"
        return {name: values[0] for name, values in parse_qs(said).items()}

    async def ticket(self, name: str, login: str, **body) -> str:
        return (await self.back(await self.log_in(await self.begin(name, **body), login)))["oidc-ticket"]

    async def sign_in(self, name: str, login: str) -> httpx.Response:
        ticket = await self.ticket(name, login)
        return await self.here.post(f"{API}/auth/oidc/sign-in", json={"ticket": ticket})


@pytest.fixture
async def browser(house) -> Browser:
    return await new_browser(house)


async def new_browser(house: House, who: Known | None = None) -> Browser:
    here = who.http if who else await house.http()
    there = await house._keep.enter_async_context(httpx.AsyncClient(trust_env=False))
    return Browser(here, there)


@pytest.fixture
async def ben(house, workspace_id) -> Known:
    return await known(house, workspace_id, BEN)


async def link(house, who: Known, name: str, login: str) -> httpx.Response:
    browser = await new_browser(house, who)
    ticket = await browser.ticket(name, login, purpose="link")
    return await who.ask("POST", "/auth/oidc/accounts", json={"ticket": ticket})


class TestSignIn:
    async def test_the_providers_are_offered_to_everybody(self, nobody):
        listed = (await nobody.get(f"{API}/auth/oidc")).json()

        assert [one["name"] for one in listed["items"]] == ["trusted", "plain", "open", "other"]
        assert set(listed["items"][0]) == {"name", "title"}

    async def test_a_verified_address_is_enough_the_first_time(self, house, browser, ben):
        first = await browser.sign_in("trusted", BEN)
        me = await signed_in(house, first.json())
        accounts = (await me.ask("GET", "/auth/oidc/accounts")).json()

        assert me.user_id == ben.user_id
        assert [one["email"] for one in accounts["items"]] == [BEN]

    async def test_the_linked_account_counts_later_whatever_its_address(self, house, browser, ben):
        assert (await link(house, ben, "plain", "someone-else")).status_code == 201
        answer = await browser.sign_in("plain", "someone-else")

        assert answer.json()["user"]["id"] == ben.user_id

    async def test_an_address_that_is_not_verified_is_nobodys(self, browser, ben):
        answer = await browser.sign_in("trusted", f"unverified-{BEN}")

        assert (answer.status_code, answer.json()["reason"]) == (401, "not_linked")

    async def test_a_provider_that_is_not_trusted_names_nobody(self, browser, ben):
        assert (await browser.sign_in("plain", BEN)).status_code == 401

    async def test_a_stranger_stays_outside(self, browser, ben):
        assert (await browser.sign_in("trusted", "stranger@x.test")).status_code == 401

    async def test_who_is_invited_joins_as_invited(self, house, browser, ben, workspace_id):
        at = now()
        row = Invitation(
            id=new_id("inv"),
            workspace_id=workspace_id,
            email="guest@x.test",
            role=Role.VIEWER,
            token_hash=secret_hash("t"),
            invited_by=ben.user_id,
            created_at=at,
            expires_at=at + timedelta(days=1),
        )
        async with house.database.writing() as session:
            session.add(row)
        answer = (await browser.sign_in("trusted", "guest@x.test")).json()

        assert (answer["user"]["role"], answer["user"]["workspace_id"]) == ("viewer", workspace_id)

    async def test_strangers_of_a_named_domain_join_others_do_not(self, house, browser, ben):
        inside = await browser.sign_in("open", "new@x.test")
        outside = await (await new_browser(house)).sign_in("open", "new@y.test")
        lookalike = await (await new_browser(house)).sign_in("open", "new@evil-x.test")

        assert inside.json()["user"]["role"] == "member"
        assert [outside.status_code, lookalike.status_code] == [403, 403]

    async def test_who_is_disabled_stays_outside(self, house, browser, ben):
        await link(house, ben, "plain", "ben-there")
        async with house.database.writing() as session:
            await session.execute(update(User).where(User.id == ben.user_id).values(disabled_at=now()))

        assert (await browser.sign_in("plain", "ben-there")).status_code == 401
        assert (await (await new_browser(house)).sign_in("trusted", BEN)).status_code == 401

    async def test_a_second_factor_is_asked_for_here_too(self, browser, ben):
        await ben.add_totp()
        answer = await browser.sign_in("trusted", BEN)
        body = {"ceremony_id": answer.json()["ceremony_id"], "proof": {"method": "totp", "code": ben.code()}}
        ended = await browser.here.post(f"{API}/auth/second-factor", json=body)

        assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_required")
        assert ended.json()["user"]["id"] == ben.user_id

    async def test_a_command_line_gets_its_ticket_on_this_machine(self, house, browser, ben):
        away = await new_browser(house)  # the person's browser, which does not have the command line's cookie
        url = await browser.begin("trusted", loopback_port=45678)
        answer = await away.here.get((await away.log_in(url, BEN)).removeprefix(ORIGIN))
        to = urlsplit(answer.headers["location"])
        ticket = {"ticket": parse_qs(to.query)["ticket"][0]}
        stolen = await away.here.post(f"{API}/auth/oidc/sign-in", json=ticket)

        assert to.netloc == "127.0.0.1:45678"
        assert stolen.status_code == 403


class TestOnTheWay:
    async def test_the_address_asks_with_everything_that_binds(self, browser, house):
        asked = {name: values[0] for name, values in parse_qs(urlsplit(await browser.begin("trusted")).query).items()}
        async with house.database.reading() as session:
            kept = (await session.execute(select(Ceremony))).scalar_one()

        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == f"{ORIGIN}{API}/auth/oidc/trusted/callback"
        assert kept.id == secret_hash(asked["state"])
        assert kept.body["nonce"] == asked["nonce"]
        assert kept.body["verifier"] not in asked.values()

    async def test_the_provider_refuses_who_asks_without_pkce(self, browser):
        url = httpx.URL(await browser.begin("trusted")).copy_remove_param("code_challenge")
        refused = await browser.there.get(url.copy_remove_param("code_challenge_method"))

        assert "error=invalid_request" in refused.headers["location"]

    async def test_a_state_counts_once(self, browser, ben):
        address = await browser.log_in(await browser.begin("trusted"), BEN)
        first, again = await browser.back(address), await browser.back(address)

        assert "oidc-ticket" in first
        assert again == {"oidc-error": "proof_failed"}

    async def test_a_made_up_state_leads_nowhere(self, browser):
        assert await browser.back(f"{API}/auth/oidc/trusted/callback?code=x&state=made-up") == {
            "oidc-error": "proof_failed"
        }

    async def test_another_browser_cannot_come_back_with_it(self, house, browser, ben):
        victim = await new_browser(house)
        address = await browser.log_in(await browser.begin("trusted"), BEN)

        assert await victim.back(address) == {"oidc-error": "proof_failed"}

    async def test_a_ticket_is_worth_nothing_elsewhere_and_twice(self, house, browser, ben):
        thief = await new_browser(house)
        ticket = {"ticket": await browser.ticket("trusted", BEN)}
        stolen = await thief.here.post(f"{API}/auth/oidc/sign-in", json=ticket)
        after = await browser.here.post(f"{API}/auth/oidc/sign-in", json=ticket)

        assert [stolen.status_code, after.status_code] == [403, 403]

    @pytest.mark.parametrize("part", ["nonce", "verifier"])
    async def test_an_answer_to_another_question_is_refused(self, house, browser, ben, part):
        address = await browser.log_in(await browser.begin("trusted"), BEN)
        async with house.database.writing() as session:
            row = (await session.execute(select(Ceremony))).scalar_one()
            row.body = row.body | {part: "x" * 43}

        assert (await browser.back(address))["oidc-error"] == "proof_failed"

    async def test_another_providers_answer_is_refused(self, browser, ben, issuer, other_issuer):
        """Mix-up: the browser began with one provider, and another one's code comes back (RFC 9207)."""
        began = await browser.begin("other")
        state = parse_qs(urlsplit(began).query)["state"][0]
        mixed = f"{API}/auth/oidc/other/callback?code=x&state={state}&iss={issuer}"

        assert (await browser.back(mixed))["oidc-error"] == "proof_failed"

    async def test_an_answer_that_names_nobody_is_refused_where_the_provider_always_does(self, browser, ben):
        address = httpx.URL(await browser.log_in(await browser.begin("trusted"), BEN)).copy_remove_param("iss")

        assert (await browser.back(str(address)))["oidc-error"] == "proof_failed"

    async def test_the_answer_of_one_client_does_not_fit_another(self, browser, ben):
        address = await browser.log_in(await browser.begin("trusted"), BEN)

        assert (await browser.back(address.replace("/trusted/", "/plain/")))["oidc-error"] == "proof_failed"

    @pytest.mark.parametrize("extra", ["&next=https://evil.test", "&redirect_uri=https://evil.test", "&origin=//evil"])
    async def test_nothing_that_the_way_back_says_leads_elsewhere(self, browser, ben, extra):
        address = await browser.log_in(await browser.begin("trusted"), BEN)

        assert "oidc-ticket" in await browser.back(address + extra)

    async def test_a_refusal_is_told(self, browser):
        state = parse_qs(urlsplit(await browser.begin("trusted")).query)["state"][0]
        address = f"{API}/auth/oidc/trusted/callback?error=access_denied&state={state}"

        assert (await browser.back(address))["oidc-error"] == "proof_failed"

    async def test_an_unknown_provider_is_not_there(self, nobody):
        assert (await nobody.post(f"{API}/auth/oidc/nobody/begin", json={})).status_code == 404


class TestLinks:
    async def test_linking_needs_a_fresh_proof(self, house, ben):
        ticket = await (await new_browser(house, ben)).ticket("plain", "ben-there", purpose="link")
        await ben.grow_stale()
        answer = await ben.ask("POST", "/auth/oidc/accounts", json={"ticket": ticket})

        assert answer.json()["code"] == "step_up_required"

    async def test_one_account_is_one_persons(self, house, ben, workspace_id):
        dora = await known(house, workspace_id, "dora@x.test")
        await link(house, ben, "plain", "shared")

        assert (await link(house, dora, "plain", "shared")).status_code == 409

    async def test_a_ticket_to_sign_in_links_nothing(self, house, ben):
        ticket = await (await new_browser(house, ben)).ticket("plain", "ben-there")

        assert (await ben.ask("POST", "/auth/oidc/accounts", json={"ticket": ticket})).status_code == 403

    async def test_anothers_ticket_links_nothing(self, house, ben, workspace_id):
        dora = await known(house, workspace_id, "dora@x.test")
        ticket = await (await new_browser(house, ben)).ticket("plain", "ben-there", purpose="link")

        assert (await dora.ask("POST", "/auth/oidc/accounts", json={"ticket": ticket})).status_code == 403

    async def test_an_own_account_is_unlinked_anothers_is_not_there(self, house, ben, eve, browser):
        made = (await link(house, ben, "plain", "ben-there")).json()
        path = f"/auth/oidc/accounts/{made['id']}"
        async with house.database.writing() as session:
            other = (await session.execute(select(OidcAccount))).scalar_one()
            owner, other.user_id = other.user_id, eve.principal.user_id
        not_mine = await ben.ask("DELETE", path)
        async with house.database.writing() as session:
            (await session.execute(select(OidcAccount))).scalar_one().user_id = owner

        assert (not_mine.status_code, (await ben.ask("DELETE", path)).status_code) == (404, 204)
        assert (await browser.sign_in("plain", "ben-there")).status_code == 401

    async def test_the_only_way_in_stays(self, house, browser, ben):
        guest = await signed_in(house, (await browser.sign_in("open", "new@x.test")).json())
        account = (await guest.ask("GET", "/auth/oidc/accounts")).json()["items"][0]
        await prove(house, guest, "open", "new@x.test")

        assert (await guest.ask("DELETE", f"/auth/oidc/accounts/{account['id']}")).status_code == 409


async def prove(house, who: Known, name: str, login: str) -> httpx.Response:
    ticket = await (await new_browser(house, who)).ticket(name, login, purpose="prove")
    return await who.prove("oidc", ticket=ticket)


class TestProof:
    async def test_signing_in_there_anew_is_a_fresh_proof(self, house, ben):
        await link(house, ben, "plain", "ben-there")
        await ben.grow_stale()
        answer = (await prove(house, ben, "plain", "ben-there")).json()

        assert (answer["assurance"], answer["proved_by"]) == ("L3", "oidc")

    async def test_an_account_that_is_not_linked_proves_nothing(self, house, ben):
        await ben.grow_stale()

        assert (await prove(house, ben, "plain", "somebody")).json()["code"] == "proof_failed"

    async def test_it_does_not_stand_in_for_a_second_factor(self, house, ben):
        await link(house, ben, "plain", "ben-there")
        await ben.add_totp()
        await ben.grow_stale()

        assert (await prove(house, ben, "plain", "ben-there")).json()["code"] == "second_factor_required"

    async def test_a_sign_in_of_who_knows_when_is_no_fresh_proof(self, house, browser, ben):
        """The provider does not say when the person proved who they are, so the session is not fresh."""
        me = await signed_in(house, (await browser.sign_in("trusted", BEN)).json())

        assert (await me.view())["assurance"] == "L2"
        assert (await me.prove("password", password=PASSWORD)).json()["assurance"] == "L3"
