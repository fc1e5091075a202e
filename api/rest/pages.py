"""Lists: always a page, with the cursor of the next one and the true total."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query

from core.text import SafeStr
from core.values import Value

ItemT = TypeVar("ItemT")


class Page(Value, Generic[ItemT]):
    """`next` is the `cursor` of the following page; null on the last one."""

    items: list[ItemT]
    next: str | None
    total: int


Limit = Annotated[int, Query(ge=1, le=100, description="At most so many items.")]
Cursor = Annotated[SafeStr | None, Query(max_length=200, description="`next` of the page before.")]
