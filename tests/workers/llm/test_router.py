"""Who is asked, and in which order; who is left alone for a while."""

import pytest

from tests.workflows.script import ScriptedModel
from workers.llm.errors import ContextTooLong, ModelRateLimited, ModelRefusedKey, ModelUnavailable
from workers.llm.health import Health
from workers.llm.router import Need, NoModelFits, Router
from workers.llm.traits import Traits


class Named(ScriptedModel):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


TRAITS = {
    "plain": Traits(),
    "cheap": Traits(tier="small", input_price=0.1, output_price=0.4),
    "cheaper": Traits(tier="small", input_price=0.05, output_price=0.2),
    "best": Traits(tier="strong", input_price=5, output_price=25, images=True),
    "mute": Traits(tier="small", tools=False, input_price=0.01, output_price=0.01),
    "long": Traits(context_tokens=1_000_000, input_price=1, output_price=4),
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def router(clock: Clock) -> Router:
    return Router(tuple(Named(name) for name in TRAITS), TRAITS, Health(clock))


def order(router: Router, **need) -> list[str]:
    return [model.name for model in router.chain(Need(**need))]


class TestOrder:
    @pytest.mark.parametrize(
        ("complexity", "expected"),
        [
            ("low", ["mute", "cheaper", "cheap", "long", "plain", "best"]),
            ("medium", ["long", "plain", "best", "mute", "cheaper", "cheap"]),
            ("high", ["best", "long", "plain", "mute", "cheaper", "cheap"]),
        ],
    )
    def test_goes_by_complexity_then_by_price(self, router, complexity, expected):
        assert order(router, complexity=complexity) == expected

    def test_a_tier_that_was_chosen_goes_before_complexity(self, router):
        assert order(router, tier="strong", complexity="low")[0] == "best"

    def test_who_is_preferred_comes_first_and_others_after(self, router):
        assert order(router, preferred="cheap", complexity="high")[:2] == ["cheap", "best"]

    def test_who_failed_at_this_call_comes_last(self, router):
        assert order(router, tried=("long", "plain"))[-2:] == ["long", "plain"]

    def test_without_traits_the_order_is_that_of_the_settings(self):
        assert order(Router((Named("b"), Named("a")))) == ["b", "a"]


class TestFit:
    def test_tools_leave_out_who_has_none(self, router):
        assert "mute" not in order(router, tools=True)

    def test_when_nobody_has_tools_somebody_answers_without(self):
        router = Router((Named("mute"), Named("other")), dict.fromkeys(("mute", "other"), TRAITS["mute"]))

        assert order(router, tools=True) == ["mute", "other"]

    def test_pictures_need_eyes(self, router):
        assert order(router, images=True) == ["best"]
        with pytest.raises(NoModelFits, match="pictures"):
            router.chain(Need(images=True, asked="cheap"))

    def test_a_long_talk_goes_to_who_can_hold_it(self, router):
        assert order(router, tokens=500_000) == ["long"]

    def test_a_talk_too_long_for_all_goes_to_the_longest(self, router):
        assert order(router, tokens=5_000_000) == ["long"]


class TestMay:
    def test_only_allowed_models_are_asked(self, router):
        assert set(order(router, allowed=frozenset({"cheap", "best", "gone"}))) == {"cheap", "best"}

    def test_under_a_budget_in_money_who_has_no_price_is_left_out(self, router):
        assert "plain" not in order(router, priced=True)
        assert order(router, priced=True, asked="plain") == ["plain"]

    def test_who_is_asked_for_answers_alone(self, router):
        assert order(router, asked="cheap") == ["cheap"]

    @pytest.mark.parametrize(
        ("need", "sentence"),
        [
            (Need(asked="nobody"), "no model called nobody"),
            (Need(asked="best", allowed=frozenset({"cheap"})), "best is not for you"),
            (Need(allowed=frozenset()), "Nobody allowed you"),
        ],
    )
    def test_nothing_is_sent_where_nobody_fits(self, router, need, sentence):
        with pytest.raises(NoModelFits, match=sentence):
            router.chain(need)


class TestHealth:
    def test_one_failure_pauses_nobody_three_do(self, router, clock):
        said = [router.health.failed("long", ModelUnavailable()) for _ in range(3)]

        assert said == [False, False, True]
        assert order(router)[-1] == "long"
        clock.now += 20
        assert order(router)[0] == "long"

    def test_after_a_pause_one_call_tries_and_the_others_wait(self, router, clock):
        for _ in range(3):
            router.health.failed("long", ModelUnavailable())
        clock.now += 20
        router.health.asked("long")

        assert order(router)[-1] == "long"
        assert router.health.answered("long")
        assert order(router)[0] == "long"

    def test_who_fails_again_is_left_alone_for_longer(self, router, clock):
        for _ in range(3):
            router.health.failed("long", ModelUnavailable())
        clock.now += 20
        router.health.asked("long")
        router.health.failed("long", ModelUnavailable())
        clock.now += 20

        assert not router.health.is_well("long")
        clock.now += 20
        assert router.health.is_well("long")

    def test_who_is_busy_rests_as_long_as_it_asked(self, router, clock):
        assert router.health.failed("long", ModelRateLimited(retry_after=7))
        assert not router.health.is_well("long")
        clock.now += 7
        assert router.health.is_well("long")

    def test_a_wrong_key_pauses_at_once_a_long_talk_never(self, router):
        assert router.health.failed("best", ModelRefusedKey())
        assert not router.health.failed("cheap", ContextTooLong())

    def test_when_all_rest_the_best_is_asked_all_the_same(self, router):
        for name in TRAITS:
            router.health.failed(name, ModelRefusedKey())

        assert order(router)[0] == "long"

    def test_a_call_that_was_stopped_tells_nothing(self, router, clock):
        router.health.failed("long", ModelRefusedKey())
        clock.now += 300
        router.health.asked("long")
        router.health.left("long")

        assert router.health.is_well("long")

    def test_who_failed_before_a_restart_is_asked_and_its_answer_is_news(self, router):
        router.health.remember(["long"])

        assert order(router)[0] == "long"
        router.health.asked("long")
        assert router.health.answered("long")
        assert not router.health.answered("long")
