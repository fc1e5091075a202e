"""Rules and the operation mode on the command line, through the real doors."""

import json

import pytest

from cli.talk import editor, policy
from cli.talk.ending import ServerError, WrongUsage
from core.values import OperationMode

RULES = "rules:\n- name: deleting\n  when: {action: tasks.delete}\n  verdict: ask\n  ask: {expires: 2h}\n"


def said(screen) -> str:
    """What a screen showed, without the server's log, which goes to the same stdout here."""
    lines = screen.out.getvalue().splitlines(keepends=True)
    return "".join(line for line in lines if "[info" not in line)


class TestPolicy:
    async def test_saved_shown_listed_and_compared(self, opening, screen):
        async with opening() as open_:
            code = await policy.save_policy(open_, shown := screen(), RULES, "first", None, dry_run=False)
            assert (code, said(shown)) == (
                0,
                "+ rule deleting: rule 1 is new: ask by action\nVersion 1 holds now.\n",
            )
            await policy.show_policy(open_, shown := screen(), None)
            assert said(shown) == RULES
            await policy.list_versions(open_, shown := screen(), 10)
            assert "first" in said(shown)
            await policy.compare_policies(open_, shown := screen(), {"from": 1, "to": 0})
            assert said(shown) == "- rule deleting: rule 1 is gone: ask by action\n"

    async def test_what_is_wrong_is_said(self, opening, screen):
        twice = RULES + RULES.removeprefix("rules:\n").replace("name: deleting", "name: again")
        async with opening() as open_:
            assert await policy.check_policy(open_, shown := screen(), twice) == 1
            assert "error: rules[1] (again): never reached" in said(shown)
            assert await policy.save_policy(open_, screen(), twice, None, 0, dry_run=True) == 1
            with pytest.raises(ServerError, match="never reached"):
                await policy.save_policy(open_, screen(), twice, None, 0, dry_run=False)

    async def test_a_call_is_tried(self, opening, screen, ana):
        async with opening() as open_:
            await policy.save_policy(open_, screen(), RULES, None, None, dry_run=False)
            await policy.try_policy(open_, shown := screen(), {"action": "tasks.delete", "arguments": {"id": "x"}})
            told = said(shown)
            await policy.try_policy(open_, shown := screen(as_json=True), {"action": "tasks.list", "user": None})

        assert told.startswith("ASK  deleting (rule 1)\n")
        assert f"1 of {ana.principal.name}" in told
        assert json.loads(said(shown))["verdict"] == "allow"

    async def test_the_operation_mode(self, opening, screen, ana):
        async with opening() as open_:
            await policy.operate(open_, shown := screen(), None)
            assert said(shown) == "assisted\n"
            await policy.operate(open_, shown := screen(), OperationMode.EMERGENCY)
            assert said(shown).startswith("emergency, since ")
            assert ana.principal.name in said(shown)

    async def test_nobody_edits_where_nobody_is(self, opening, screen):
        async with opening() as open_:
            with pytest.raises(WrongUsage):
                await policy.edit_policy(open_, screen(), None)


class TestEditor:
    def test_gives_what_was_written(self, tmp_path, monkeypatch):
        script = tmp_path / "an editor"
        script.write_text('#!/bin/sh\necho more >> "$1"\n')
        script.chmod(0o755)
        monkeypatch.setenv("VISUAL", f"'{script}'")

        assert editor.edit_text("some\n", ".yaml") == "some\nmore\n"

    def test_says_when_it_failed(self, monkeypatch):
        monkeypatch.setenv("VISUAL", "false")

        with pytest.raises(WrongUsage, match="EDITOR"):
            editor.edit_text("some", ".yaml")
