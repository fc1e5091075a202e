"""What the doors show of models, their use and its bounds."""

from datetime import datetime
from typing import Any

from core.values import Value


class BudgetView(Value):
    """The most that the workspace (`user_id` null) or a person may use in a UTC `period`, and how much of it is used.

    Money is in millionths of a US dollar. `used` counts calls that run just now with the most that they may use.
    """

    id: str
    user_id: str | None
    period: str
    money_micros: int | None
    tokens: int | None
    used_micros: int
    used_tokens: int
    left_micros: int | None
    left_tokens: int | None
    renews_at: datetime
    created_by: str
    updated_at: datetime


class ModelHealthView(Value):
    """The newest word on a model: from a check, or from when its calls began to fail or went well again."""

    ok: bool
    code: str
    sentence: str
    took_ms: int | None
    models_seen: int | None
    at: datetime


class ModelView(Value):
    """A configured model; no keys and no addresses. Prices: US dollars for a million tokens, null when not known.

    `allowed`: whether who asks may ask it; `health` null: nobody has checked it, and nothing went wrong.
    """

    name: str
    provider: str
    tier: str
    tools: bool
    images: bool
    context_tokens: int | None
    max_output_tokens: int | None
    input_price: float | None
    output_price: float | None
    price_known: bool
    allowed: bool
    health: ModelHealthView | None


class ModelRuleView(Value):
    """The models that everybody in the workspace (`user_id` null), or a person, may ask; no other ones."""

    id: str
    user_id: str | None
    allowed: tuple[str, ...]
    created_by: str
    created_at: datetime


class UsageTotals(Value):
    """Model calls added up. `cost_micros`: of the calls with a known price; `unpriced` calls are not in it.

    Money is in millionths of a US dollar. Input and output tokens are the provider's own figures; `cached_tokens` are
    a part of the input. Calls for which the provider gave none are `estimated`, with our count in `estimated_tokens`.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    estimated: int = 0
    estimated_tokens: int = 0
    cost_micros: int = 0
    unpriced: int = 0


class UsageGroupView(Value):
    """What one message, turn, person, model, day or purpose used; `name` is a person's."""

    key: str
    name: str | None = None
    totals: UsageTotals


class SuggestionView(Value):
    """Something that the records say could cost less. `figures` are all the numbers that `text` is made of.

    `saving_micros`: what the calls looked at would have cost less, in millionths of a US dollar; null when that cannot
    be computed from the records.
    """

    kind: str
    text: str
    saving_micros: int | None
    figures: dict[str, Any]
