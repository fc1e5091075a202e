"""What the router knows of a model: who provides it, what it can do, what it costs."""

from dataclasses import dataclass

from core.settings import ModelEntry


@dataclass(frozen=True)
class Traits:
    """A model's place in the choice. Prices: US dollars for a million tokens, None when not known."""

    provider: str | None = None
    tier: str = "standard"
    tools: bool = True
    images: bool = False
    context_tokens: int = 128_000
    max_output_tokens: int = 4_096
    input_price: float | None = None
    output_price: float | None = None

    @property
    def price(self) -> float | None:
        """Give what compares models: three parts of input to one of output, as talks with tools have it."""
        if self.input_price is None or self.output_price is None:
            return None
        return (3 * self.input_price + self.output_price) / 4


def traits_of(entry: ModelEntry, prices: tuple[float, float] | None) -> Traits:
    """Give the traits of an entry; `prices` of input and output when they are known."""
    return Traits(
        provider=entry.provider,
        tier=entry.tier,
        tools=entry.tools,
        images=entry.images,
        context_tokens=entry.context_tokens,
        max_output_tokens=entry.max_output_tokens,
        input_price=prices[0] if prices else None,
        output_price=prices[1] if prices else None,
    )
