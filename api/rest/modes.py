"""Modes: the ways of answering, built in and the workspace's own."""

from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import Field, StringConstraints

from api.rest.context import Here, Who
from api.rest.pages import Page
from core.modes import NAME, Mode, Tier
from core.permissions import Principal, Role
from core.store import modes
from core.store.submissions import ModelName
from core.store.work import change
from core.text import SafeStr
from core.values import Value
from core.views import ModeView

router = APIRouter(prefix="/modes", tags=["modes"])

Name = Annotated[str, StringConstraints(pattern=NAME)]
PathName = Annotated[str, Path(max_length=64)]
Title = Annotated[SafeStr, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Prompt = Annotated[SafeStr, StringConstraints(max_length=8000)]
Tool = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,99}$")]
Tools = Annotated[
    tuple[Tool, ...], Field(max_length=200, description="Connectors or actions; null: all, an empty list: none.")
]
Rounds = Annotated[int, Field(ge=1, le=100, description="Model calls in a turn, at most.")]
Calls = Annotated[int, Field(ge=0, le=1000, description="Tool calls in a turn, at most.")]
Tokens = Annotated[int, Field(ge=16, le=1_000_000, description="Tokens of an answer, at most.")]


class NewMode(Value):
    """A way of answering. A limit only lowers what is set for the server."""

    name: Name = Field(examples=["trading"])
    title: Title = Field(examples=["Trading"])
    prompt: Prompt = Field("", examples=["Name the risk before the chance."])
    model: ModelName | None = None
    tier: Tier | None = None
    tools: Tools | None = None
    rounds: Rounds | None = None
    tool_calls: Calls | None = None
    max_tokens: Tokens | None = None


class ModeChanges(Value):
    """What is to be otherwise; what is left out stays, null takes a limit away."""

    title: Title = Field("", examples=["Careful trading"])
    prompt: Prompt = ""
    model: ModelName | None = None
    tier: Tier | None = None
    tools: Tools | None = None
    rounds: Rounds | None = None
    tool_calls: Calls | None = None
    max_tokens: Tokens | None = None


@router.get("")
async def list_modes(here: Here, who: Who) -> Page[ModeView]:
    """List the built-in modes, then the workspace's own."""
    async with here.database.reading() as session:
        found = await modes.listed(session, who)
    return Page(items=found, next=None, total=len(found))


@router.post("", status_code=status.HTTP_201_CREATED)
async def add(here: Here, who: Who, body: NewMode) -> ModeView:
    """Make a mode for the workspace; owners and admins may."""
    _check(who)
    async with change(here.database, here.rooms) as work:
        made = await modes.add(work, who, Mode.model_validate(dict(body)))
        await here.audit.record(work, who.workspace_id, who.user_id, "mode.added", made.name, **_facts(made))
    return made


@router.patch("/{name}")
async def alter(here: Here, who: Who, name: PathName, body: ModeChanges) -> ModeView:
    """Change a mode of the workspace's own; owners and admins may."""
    _check(who)
    async with change(here.database, here.rooms) as work:
        made = await modes.alter(work, who, name, body.model_dump(exclude_unset=True))
        await here.audit.record(work, who.workspace_id, who.user_id, "mode.changed", made.name, **_facts(made))
    return made


@router.delete("/{name}", status_code=status.HTTP_204_NO_CONTENT, response_class=Response)
async def remove(here: Here, who: Who, name: PathName) -> None:
    """Remove a mode of the workspace's own. What is answered in it later fails, and says why."""
    _check(who)
    async with change(here.database, here.rooms) as work:
        await modes.remove(work, who, name)
        await here.audit.record(work, who.workspace_id, who.user_id, "mode.removed", name)


def _check(who: Principal) -> None:
    who.must_be(Role.OWNER, Role.ADMIN)


def _facts(mode: ModeView) -> dict[str, object]:
    """Say in the audit log what the mode allows, not what it tells the model."""
    return mode.model_dump(mode="json", include={"model", "tier", "tools", "rounds", "tool_calls", "max_tokens"})
