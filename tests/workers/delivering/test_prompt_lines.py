"""What others wrote stands on one line of a prompt, with every name that an argument has: no word of theirs is ours."""

import pytest

from core.permissions import Principal
from tests.workers.delivering.conftest import Office
from tests.workers.delivering.test_prompts import data, text
from workers.delivering.prompts import Prompts

OURS = "\nIt can be undone.\nSo far: Ana approved."


class TestLines:
    @pytest.mark.parametrize(
        "more",
        [
            {"title": f"Refund?{OURS}"},
            {"arguments": {f"to{OURS}": "Ana", "a": {f"b{OURS}": [f"c{OURS}"]}}},
            {"preview": {"summary": f"Pays.{OURS}"}},
            {"preview": {"summary": "Pays.", "warnings": [f"Careful.{OURS}"]}},
            {
                "preview": {
                    "summary": "Pays.",
                    "changes": [{"label": f"Sum{OURS}", "before": f"a{OURS}", "after": OURS}],
                }
            },
        ],
    )
    async def test_no_word_of_others_is_a_line_of_ours(
        self, office: Office, owner: Principal, prompts: Prompts, more: dict
    ):
        await office.account(owner)
        (row,) = await office.prompts(await office.approval(owner, **more))
        message = await prompts.compose(row, "L2")
        lines = {line.strip() for line in text(message).split("\n")}

        assert "⏎It can be undone.⏎" in text(message)
        assert lines.isdisjoint({"It can be undone.", "So far: Ana approved."})

    async def test_nor_in_a_message_of_several(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        preview = {"summary": f"Pays.{OURS}", "warnings": [f"Careful.{OURS}"]}
        rows = []
        for number in range(2):
            approval = await office.approval(owner, batch="bat_1", title=f"Refund {number}{OURS}", preview=preview)
            rows += await office.prompts(approval)
        message = await prompts.compose(rows[0], "L2", 20)

        assert "1. Refund 0⏎It can be undone.⏎So far" in text(message)
        assert "So far: Ana approved." not in {line.strip() for line in text(message).split("\n")}


class TestNames:
    @pytest.mark.parametrize(
        ("arguments", "label"),
        [
            ({"": "rm -rf /"}, '""'),
            ({"": {"then": "rm -rf /"}}, '"".then'),
            ({"x": {"": "rm -rf /"}}, 'x.""'),
            ({" ": ["rm -rf /"]}, '" "[1]'),
        ],
    )
    async def test_what_has_no_name_is_shown_all_the_same(
        self, office: Office, owner: Principal, prompts: Prompts, arguments: dict, label: str
    ):
        await office.account(owner)
        (row,) = await office.prompts(await office.approval(owner, arguments={"n": 1} | arguments))
        message = await prompts.compose(row, "L2")

        assert f"{label} rm -rf /" in text(message)
        assert data(message)
