"""Prices: by hand before the list, rounded up, and never guessed."""

from datetime import UTC, datetime

import pytest

from core.prices import Amounts, Prices, dollars, price_of

AT = datetime(2026, 3, 1, tzinfo=UTC)
THOUSAND = Amounts(input=1000, output=100)


class TestPriceOf:
    @pytest.mark.parametrize("provider", ["openai", "https://api.openai.com/v1"])
    def test_a_listed_model_costs_what_the_list_says(self, provider):
        assert price_of(provider, "gpt-4o", None, THOUSAND, AT) == 1000 * 2.5 + 100 * 10

    def test_cached_tokens_cost_what_the_list_says_of_them(self):
        cached = Amounts(input=1000, output=100, cached=400)

        assert price_of("openai", "gpt-4o", None, cached, AT) == 600 * 2.5 + 400 * 1.25 + 100 * 10

    def test_more_cached_than_went_in_is_all_of_it(self):
        cached = Amounts(input=1000, output=0, cached=4000)

        assert price_of("openai", "gpt-4o", None, cached, AT) == 1250

    @pytest.mark.parametrize(
        ("provider", "model"),
        [
            ("openai", "gpt-4o-of-ours"),
            ("openai", "my-gpt-4o"),
            ("ollama", "llama3"),
            ("http://127.0.0.1:11434/v1", "gpt-4o"),
            (None, "gpt-4o"),
            ("openai", ""),
        ],
    )
    def test_what_is_not_listed_is_unknown(self, provider, model):
        assert price_of(provider, model, None, THOUSAND, AT) is None

    def test_prices_by_hand_come_first_and_need_no_list(self):
        by_hand = Prices(input=1, output=2)

        assert price_of(None, "mine", by_hand, THOUSAND) == 1200
        assert price_of("openai", "gpt-4o", by_hand, THOUSAND) == 1200
        assert price_of(None, "mine", Prices(input=0, output=0), THOUSAND) == 0

    def test_one_side_by_hand_leaves_the_other_to_the_list(self):
        assert price_of("openai", "gpt-4o", Prices(output=1), THOUSAND, AT) == 2500 + 100
        assert price_of("openai", "gpt-4o", Prices(input=1), THOUSAND, AT) == 1000 + 1000
        assert price_of(None, "mine", Prices(input=1), THOUSAND, AT) is None

    def test_a_part_of_a_millionth_counts_as_a_whole_one(self):
        assert price_of(None, "mine", Prices(input=0.1, output=0), Amounts(input=1, output=0)) == 1


class TestDollars:
    @pytest.mark.parametrize(
        ("micros", "words"),
        [(0, "0.00"), (1, "0.000001"), (1_500_000, "1.50"), (12_345_600, "12.3456"), (None, "unknown")],
    )
    def test_has_cents_and_all_its_digits(self, micros, words):
        assert dollars(micros) == words
