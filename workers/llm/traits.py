"""What the router knows of a model: who provides it, what it can do, what it costs."""

from dataclasses import dataclass

from core.model_entries import listed_by, prices_of, set_prices
from core.prices import Amounts, Prices, price_of
from core.settings import ModelEntry
from core.store.usage import Figures
from workers.llm.port import UsageReported

BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class Traits:
    """A model's place in the choice. Prices: US dollars for a million tokens, None when not known.

    What a call costs is counted by `cost` from the prices that were set, and else from the price list: `reference` is
    the provider's own name of the model, `listed_by` the provider's name there or the base URL of its API.
    """

    provider: str | None = None
    tier: str = "standard"
    tools: bool = True
    images: bool = False
    context_tokens: int = 128_000
    max_output_tokens: int = 4_096
    input_price: float | None = None
    output_price: float | None = None
    reference: str | None = None
    listed_by: str | None = None
    set_prices: Prices | None = None

    def cost(self, amounts: Amounts, answered: str | None = None) -> int | None:
        """Give what so many tokens cost, in millionths of a US dollar; None when the price is not known.

        `answered`: the provider's word on which model it was, which may be more exact than what was asked for.
        """
        for reference in dict.fromkeys((answered, self.reference)):
            if reference is not None:
                micros = price_of(self.listed_by, reference, self.set_prices, amounts)
                if micros is not None:
                    return micros
        return None

    def bounds(self, tokens_in: int, tokens_out: int) -> dict[str, int | None]:
        """Give the most that a call may use, as `Charge` has it: what goes in, and the longest answer."""
        amounts = Amounts(input=tokens_in, output=tokens_out)
        return {"tokens": amounts.input + amounts.output, "micros": self.cost(amounts)}

    def figures(self, name: str, reported: UsageReported | None, *, tokens_in: int, said: str) -> Figures:
        """Give what a call used and cost; our own estimate when the provider reported nothing.

        `name`: ours for the model; `tokens_in` and `said`: what went in, by our count, and all that came out.
        """
        if reported is None:
            amounts = Amounts(input=tokens_in, output=-(-len(said.encode()) // BYTES_PER_TOKEN))
            count = amounts.input + amounts.output
            return Figures(model=name, micros=self.cost(amounts), estimated_tokens=count)
        cached = reported.cached_tokens
        amounts = Amounts(input=reported.input_tokens, output=reported.output_tokens, cached=cached or 0)
        return Figures(
            model=reported.model,
            input_tokens=reported.input_tokens,
            output_tokens=reported.output_tokens,
            cached_tokens=cached,
            micros=self.cost(amounts, reported.model),
        )

    @property
    def price(self) -> float | None:
        """Give what compares models: three parts of input to one of output, as talks with tools have it."""
        if self.input_price is None or self.output_price is None:
            return None
        return (3 * self.input_price + self.output_price) / 4


def traits_of(entry: ModelEntry) -> Traits:
    """Give the traits of an entry, with its prices where they are known."""
    prices = prices_of(entry)
    return Traits(
        provider=entry.provider,
        tier=entry.tier,
        tools=entry.tools,
        images=entry.images,
        context_tokens=entry.context_tokens,
        max_output_tokens=entry.max_output_tokens,
        input_price=prices[0],
        output_price=prices[1],
        reference=entry.model or entry.name,
        listed_by=listed_by(entry),
        set_prices=set_prices(entry),
    )
