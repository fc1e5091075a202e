"""Channels: which there are, which are set up, and whether they live."""

from fastapi import APIRouter

from api.channels.door import ChannelView
from api.rest.context import Here, Who
from api.rest.pages import Page

router = APIRouter(prefix="/channels", tags=["channels"])


@router.get("")
async def list_channels(here: Here, who: Who) -> Page[ChannelView]:  # noqa: ARG001  # signed in is enough
    """List every channel, with how it was last seen: each that is set up is asked at least once a minute."""
    items = await here.channels.listed()
    return Page(items=items, next=None, total=len(items))
