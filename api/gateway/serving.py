"""What the gateway needs of the HTTP server."""

from typing import Any

from core.settings import Settings


def uvicorn_options(settings: Settings) -> dict[str, Any]:
    """Give uvicorn's options for sockets: a bound in the parser, no compression, and only Engine.IO's own pings."""
    return {"ws_max_size": settings.frame_bytes, "ws_per_message_deflate": False, "ws_ping_interval": None}
