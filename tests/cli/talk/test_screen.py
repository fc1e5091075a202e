"""What a terminal gets to see."""

import json

import pytest

from cli.talk.screen import clean


class TestClean:
    @pytest.mark.parametrize("bad", ["\x1b]52;c;aGk=\x07", "\x1b[2J", "\x9b31m", "\r", "\x08", "\x00"])
    def test_no_control_character_reaches_the_terminal(self, bad):
        assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in clean(f"a{bad}b"))

    @pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\U000e0041"])
    def test_hidden_characters_are_written_out(self, hidden):
        assert clean(f"a{hidden}b") == f"a[U+{ord(hidden):04X}]b"

    def test_lines_tabs_and_other_scripts_stay(self):
        assert clean("a\n\t你好 👍🏽") == "a\n\t你好 👍🏽"


class TestScreen:
    def test_an_answer_is_on_stdout_and_a_notice_is_not(self, screen):
        made = screen()
        made.show("answer")
        made.say("notice")

        assert (made.out.getvalue(), made.notices.getvalue()) == ("answer\n", "notice\n")

    def test_markup_of_others_is_only_text(self, screen):
        made = screen()
        made.show("[bold red]x[/] :boom: [link=http://x]y[/link]")

        assert made.out.getvalue() == "[bold red]x[/] :boom: [link=http://x]y[/link]\n"

    def test_json_holds_no_character_that_acts(self, screen):
        made = screen(as_json=True)
        made.data({"title": "\x1b[2J\u202e"})

        assert made.out.getvalue().isascii()
        assert "\x1b" not in made.out.getvalue()
        assert json.loads(made.out.getvalue()) == {"title": "\x1b[2J\u202e"}

    def test_a_long_row_in_a_pipe_is_one_line(self, screen):
        made = screen()
        made.table(("ID", "TITLE"), [("cnv_1", "long " * 100)])

        assert len(made.out.getvalue().splitlines()) == 2
