"""Health, in short for everybody, in full for who is signed in; readiness for whoever routes requests here."""

from fastapi import APIRouter, Response, status

from api.probes import Part, State
from api.rest.context import Here, PerhapsWho
from core.model_entries import is_offline
from core.values import Value

router = APIRouter(tags=["health"])


class HealthView(Value):
    """`parts` only for who is signed in."""

    status: State
    offline_model: bool
    parts: dict[str, Part] | None = None


class Ready(Value):
    """Whether requests can be served."""

    ready: bool


@router.get("/health", responses={503: {"model": HealthView, "description": "Nothing can be accepted just now."}})
async def health(here: Here, who: PerhapsWho, response: Response) -> HealthView:
    """Tell how the server is: each part is really asked."""
    found = await here.probes.health()
    if found.status is State.DOWN:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return HealthView(
        status=found.status,
        offline_model=is_offline(here.settings),
        parts=found.parts if who else None,
    )


@router.get("/ready", responses={503: {"model": Ready, "description": "Not now."}})
async def ready(here: Here, response: Response) -> Ready:
    """Tell whether messages can be taken in now: 200 or 503. Their answers may have to wait: see `health`."""
    found = await here.probes.health()
    if not found.is_ready:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return Ready(ready=found.is_ready)
