"""The models that the settings name, in their order: the one of ASSENT_MODEL_NAME first, then those of `[[models]]`."""

from core.errors import Misconfigured
from core.prices import Amounts, Prices, price_of
from core.settings import ModelEntry, Settings

OFFLINE = "offline assistant"
DIRECT = "direct"
"""Stands for the model of a call that a person typed in full."""
_SAMPLE = 10_000  # tokens: long talks may have another price, which is not the one to show


def entries_of(settings: Settings) -> tuple[ModelEntry, ...]:
    """Give every configured model; none means that the offline assistant answers.

    Raises Misconfigured, naming the entry and the field, when one is half written or two have the same name.
    """
    first = _first(settings)
    entries = (*first, *settings.models)
    names = [entry.name for entry in entries]
    for entry in entries:
        if names.count(entry.name) > 1:
            raise Misconfigured(f"Two models are called {entry.name!r}: each needs a name of its own.")
        if entry.name in {OFFLINE, DIRECT}:
            raise Misconfigured(f"No model may be called {entry.name!r}.")
        fault = _fault(entry)
        if fault is not None:
            raise Misconfigured(f"The model {entry.name!r} ([[models]], provider {entry.provider}) {fault}.")
    return entries


def is_offline(settings: Settings) -> bool:
    """Whether only the offline assistant answers."""
    return not settings.model_name and not settings.models


def _first(settings: Settings) -> tuple[ModelEntry, ...]:
    base_url, name = settings.model_base_url, settings.model_name
    if not base_url and not name:
        return ()
    if not base_url or not name:
        missing = "ASSENT_MODEL_NAME" if base_url else "ASSENT_MODEL_BASE_URL"
        raise Misconfigured(f"A model needs both an address and a name: {missing} is not set.")
    return (ModelEntry(name=name, base_url=base_url, api_key=settings.model_api_key),)


def _fault(entry: ModelEntry) -> str | None:
    """Say what an entry lacks."""
    if entry.base_url is not None and not entry.base_url.startswith(("http://", "https://")):
        return "needs base_url to start with http:// or https://"
    if entry.provider == "openai-compatible" and not entry.base_url:
        return "needs base_url"
    if entry.provider not in {"openai-compatible", "ollama"} and not entry.api_key:
        return "needs api_key"
    if entry.provider == "bedrock" and not entry.region:
        return "needs region"
    if entry.provider == "openrouter" and "/" not in (entry.model or entry.name):
        return "needs model, written as maker/model"
    return None


def listed_by(entry: ModelEntry) -> str | None:
    """Give the provider's name, or its API's address, as the price list has it."""
    if entry.provider == "openai-compatible":
        return entry.base_url
    return "aws" if entry.provider == "bedrock" else entry.provider


def set_prices(entry: ModelEntry) -> Prices:
    """Give the prices that were set by hand."""
    return Prices(input=entry.input_price, output=entry.output_price)


def prices_of(entry: ModelEntry) -> tuple[float | None, float | None]:
    """Give what a million tokens of input and of output cost, in US dollars; None where that is not known."""
    provider, reference, by_hand = listed_by(entry), entry.model or entry.name, set_prices(entry)
    one = price_of(provider, reference, by_hand, Amounts(input=_SAMPLE, output=0))
    other = price_of(provider, reference, by_hand, Amounts(input=0, output=_SAMPLE))
    return _dollars(one, entry.input_price), _dollars(other, entry.output_price)


def _dollars(micros: int | None, by_hand: float | None) -> float | None:
    """Give what was set by hand, though the other side's price is not known."""
    return by_hand if micros is None else micros / _SAMPLE
