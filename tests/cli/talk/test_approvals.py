"""A person sees all that would run, and decides about exactly that."""

import pytest

from cli.talk.approvals import decide_approval, outcome, render, show_approval
from cli.talk.ending import WrongUsage, exit_code
from cli.talk.server import open_server
from core.errors import Invalid
from core.values import DecisionVerdict
from core.views import ApprovalView
from tests.page.stage import approval

LONG = "line\n" * 500 + "the last line"


def shown(screen, **more) -> str:
    made = screen()
    render(made, ApprovalView.model_validate(approval(**more)))
    return made.out.getvalue()


class TestRender:
    def test_everything_is_there(self, screen):
        text = shown(screen)

        for part in (
            "DESTRUCTIVE", "Delete the task Buy milk", "tasks.delete", "title: Buy milk", "open -> nothing",
            "cannot be undone", "not checked: You asked me", "who decides  Ana", "h ", "9f86d081884c",
        ):  # fmt: skip
            assert part in text

    def test_what_it_costs_is_said_where_the_connector_knows(self, screen):
        preview = approval()["preview"] | {"cost": "12 EUR\na month\u202e"}
        text = shown(screen, preview=preview)

        assert "cost       12 EUR a month[U+202E]" in text
        assert "Hidden characters" in text
        assert "cost " not in shown(screen)

    def test_hidden_characters_are_written_and_flagged(self, screen):
        text = shown(screen, arguments={"to\u200b": "ana\u202etxt.exe\x1b[2J"})

        assert "to[U+200B]: ana[U+202E]txt.exe[U+001B][2J" in text
        assert "Hidden characters" in text

    def test_padding_cannot_push_an_argument_away(self, screen):
        text = shown(screen, arguments={"note": LONG, "amount": 9000})

        assert "the last line" in text
        assert "amount: 9000" in text

    def test_nested_arguments_are_shown_whole(self, screen):
        assert '"b": [' in shown(screen, arguments={"a": {"b": [1, {"c": "d"}]}})


class TestOutcome:
    @pytest.mark.parametrize(
        ("door", "named"),
        [
            ("rest", "the API"),
            ("socket", "the page"),
            ("web", "the page"),
            ("cli", "the command line"),
            ("x\u202e", "x[U+202E]"),
        ],
    )
    def test_doors_are_named_in_words(self, door, named):
        view = ApprovalView.model_validate(approval(state="approved", decided_by_name="Ana", decided_door=door))

        assert outcome(view) == f"Approved by Ana on {named}"


class TestDecide:
    @pytest.fixture
    async def server(self, stage, signed_in):
        stage.approvals = [approval()]
        async with open_server(signed_in(stage.url)) as server:
            yield server

    async def test_a_decision_quotes_the_digest_that_was_shown(self, stage, server, screen):
        made = screen()
        code = await decide_approval(server, made, "apr_1", DecisionVerdict.APPROVE, "fine", sure=True)
        body = await stage.got("POST /approvals/apr_1/decision")

        assert (code, body["digest"], body["verdict"], body["comment"]) == (0, approval()["digest"], "approve", "fine")
        assert "Approved by Ana: fine" in made.out.getvalue()

    async def test_what_cannot_be_shown_whole_cannot_be_approved_here(self, stage, server, screen):
        stage.approvals = [approval(arguments_cut=True)]
        with pytest.raises(Invalid, match="open the page"):
            await decide_approval(server, screen(), "apr_1", DecisionVerdict.APPROVE, None, sure=True)

        assert [name for name, _ in stage.received] == []

    @pytest.mark.parametrize("as_json", [True, False])
    @pytest.mark.parametrize("verdict", list(DecisionVerdict))
    async def test_where_nobody_can_be_asked_it_has_to_be_said(self, stage, server, screen, verdict, as_json):
        with pytest.raises(WrongUsage, match="--yes") as caught:
            await decide_approval(server, screen(as_json=as_json), "apr_1", verdict, None, sure=False)

        assert exit_code(caught.value) == 2
        assert stage.received == []

    async def test_showing_decides_nothing(self, stage, server, screen):
        await show_approval(server, screen(), "apr_1")

        assert stage.received == []
