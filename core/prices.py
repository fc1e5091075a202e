"""What a model call costs: from the prices that its operator set, else from the published ones that come with us."""

from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from core.clock import now
from core.values import Value

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

MILLION = 1_000_000


class Prices(Value):
    """US dollars for a million tokens, as set by hand; None leaves that side to the published price."""

    input: float | None = None
    output: float | None = None


class Amounts(Value):
    """Tokens of one call; `cached` are those of `input` that the provider read from its cache."""

    input: int
    output: int
    cached: int = 0


def price_of(
    provider: str | None, model: str, override: Prices | None, amounts: Amounts, at: datetime | None = None
) -> int | None:
    """Give what these tokens cost, in millionths of a US dollar and rounded up; None when no price is known.

    `provider`: a name that the price list knows, or the base URL of an API. `model`: the provider's own reference of
    the model; the list matches it by its own rules, and what it does not know is not guessed. `at`: when it was asked.
    """
    by_hand = override or Prices()
    if by_hand.input is not None and by_hand.output is not None:
        return _micros(_by_hand(by_hand.input, amounts.input) + _by_hand(by_hand.output, amounts.output))
    listed = _listed(provider, model, amounts, at or now())
    if listed is None:
        return None
    # A listed total may hold more than both sides, such as a fee for the request.
    total = listed.total_price
    if by_hand.input is not None:
        total += _by_hand(by_hand.input, amounts.input) - listed.input_price
    if by_hand.output is not None:
        total += _by_hand(by_hand.output, amounts.output) - listed.output_price
    return _micros(total)


def dollars(micros: int | None) -> str:
    """Write an amount of money for people: cents, and as many further digits as it has; `unknown` for None."""
    if micros is None:
        return "unknown"
    whole, part = divmod(abs(micros), MILLION)
    digits = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{digits}"


def _by_hand(price: float, tokens: int) -> Decimal:
    return Decimal(str(price)) * tokens / MILLION


def _micros(amount: Decimal) -> int:
    return int((amount * MILLION).to_integral_value(rounding=ROUND_CEILING))


def _listed(provider: str | None, model: str, amounts: Amounts, at: datetime) -> "PriceCalculation | None":
    if provider is None or not _is_listed(provider, model):
        return None
    # The list is large: a process that asks no model never reads it. Nothing here ever fetches a newer one.
    from genai_prices import Usage
    from genai_prices.data_snapshot import get_snapshot

    usage = Usage(
        input_tokens=amounts.input,
        output_tokens=amounts.output,
        cache_read_tokens=min(amounts.cached, amounts.input),
    )
    by_id, by_url = _named(provider)
    try:
        found = get_snapshot().calc(usage, model, by_id, by_url, at)
    except (LookupError, ValueError):
        return None
    prices = found.model_price
    return None if prices.input_mtok is None and prices.output_mtok is None else found


@lru_cache(maxsize=1024)
def _is_listed(provider: str, model: str) -> bool:
    """Remember what the list does not know: looking through all of it takes milliseconds."""
    from genai_prices.data_snapshot import get_snapshot

    by_id, by_url = _named(provider)
    try:
        get_snapshot().find_provider_model(model, None, by_id, by_url)
    except LookupError:
        return False
    return True


def _named(provider: str) -> tuple[str | None, str | None]:
    return (None, provider) if provider.startswith(("http://", "https://")) else (provider, None)
