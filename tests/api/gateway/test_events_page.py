"""The page of events is current and complete."""

from scripts.events_table import TARGET, check_complete, page


class TestPage:
    def test_it_has_an_example_of_every_event(self):
        check_complete()

        assert "### message.created" in page()

    def test_it_is_current(self):
        assert TARGET.read_text("utf-8") == page()
