"""The composition root of the doors: settings become clients, clients become doors, all in one ASGI application."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import socketio
from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp
from temporalio.client import Client

from api.asks import Asks
from api.bodies import JsonBodies
from api.channels.door import ChannelDoor
from api.channels.hooks import PREFIX as HOOKS_PATH
from api.channels.hooks import router as hooks_router
from api.checking import Models
from api.edge import Edge
from api.gateway.gateway import Gateway
from api.history import Histories
from api.intake import Intake
from api.limits import Limits, rates_of
from api.mcp.door import McpDoor
from api.oidc.people import OidcPeople
from api.oidc.trips import Trips
from api.openai.desk import Desk
from api.openai.errors import PATH as OPENAI_PATH
from api.openai.errors import OpenAIErrors
from api.openai.routes import ASKED_HEADERS
from api.openai.routes import router as openai_router
from api.openai.told import TOLD_HEADERS
from api.page.serve import routes as page_routes
from api.probes import Probes
from api.problems import Problem, add_handlers
from api.proving.enrolling import Enrolling
from api.proving.proving import Proving
from api.rest import (
    approvals,
    asks,
    audit,
    auth,
    branches,
    budgets,
    channels,
    connectors,
    conversations,
    decisions,
    delegations,
    deliveries,
    documents,
    exports,
    factors,
    facts,
    grants,
    groups,
    health,
    identities,
    imported,
    invitations,
    memory,
    messages,
    model_rules,
    models,
    modes,
    oidc,
    older_decisions,
    policy,
    profile,
    proofs,
    reads,
    search,
    services,
    summaries,
    threads,
    tokens,
    tool_calls,
    turns,
    usage,
    users,
    webhooks,
    workspace,
)
from api.rest.context import Context
from api.searching import Searching
from api.signing import Signing
from api.tokens import Tokens
from connectors.importing import Importer
from connectors.kinds import imported_kinds
from connectors.reach import Reach
from connectors.registry import Registry, native_connectors
from core.keys import KeyRing
from core.passwords import Passwords
from core.rooms import Rooms
from core.sealing import Sealer
from core.settings import Settings
from core.store.audit import AuditTrail
from core.store.database import Database
from core.temporal import TemporalState
from workflows.handles import Workflows
from workflows.memory_handles import MemoryWorkflows

PREFIX = "/api/v1"
NOUNS = (
    auth,
    proofs,
    factors,
    oidc,
    profile,  # /users/me, before /users/{user_id}
    users,
    invitations,
    conversations,
    messages,
    turns,
    asks,
    approvals,
    decisions,
    older_decisions,
    webhooks,
    grants,
    tool_calls,
    delegations,
    branches,
    modes,
    imported,
    connectors,
    channels,
    deliveries,
    health,
    audit,
    tokens,
    documents,
    usage,
    budgets,
    model_rules,
    models,
    facts,
    summaries,
    threads,
    reads,
    search,
    memory,
    exports,
    policy,
    workspace,
    identities,
    groups,
    services,
)
STREAMED = frozenset({("POST", f"{PREFIX}/documents"), ("POST", f"{PREFIX}/conversations/import")})
_ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem document (RFC 9457).",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def _routes() -> list[BaseRoute]:
    nouns = APIRouter(prefix=PREFIX)
    for noun in NOUNS:
        nouns.include_router(noun.router)
    whole = APIRouter(responses=_ERRORS)
    whole.include_router(nouns)
    whole.include_router(openai_router)
    whole.include_router(hooks_router)
    return [*whole.routes, *page_routes()]


_ROUTES = _routes()
"""Made once: they hold nothing of an application, and each of a hundred signatures takes a millisecond to read."""


def build_app(
    settings: Settings,
    database: Database,
    client: Client,
    rooms: Rooms,
    ring: KeyRing,
    temporal: TemporalState,
) -> ASGIApp:
    """Wire REST, the gateway and the page; call it where the event loop runs. Its lifespan opens and closes them."""
    workflows = Workflows(client, max_rounds=settings.rounds, limit_seconds=settings.turn_limit_seconds)
    return build_doors(settings, database, workflows, rooms, ring, temporal)


def build_doors(
    settings: Settings,
    database: Database,
    workflows: Workflows,
    rooms: Rooms,
    ring: KeyRing,
    temporal: TemporalState,
) -> ASGIApp:
    """Do so with workflows that are there already."""
    audit_trail = AuditTrail(ring)
    keys, limits = Tokens(ring, settings), Limits(rates_of(settings))
    signing = Signing(database, ring, audit_trail, keys, Passwords(), limits, settings.refresh_token_days)
    proving = Proving(database, ring, audit_trail, signing, limits, settings.step_up_seconds)
    trips = Trips(database, settings.oidc)
    reach = Reach(settings.smtp, settings.private_hosts, mcp_servers=settings.mcp_servers, plugins=settings.plugins)
    registry = Registry.load(native_connectors(database, settings.files_dir, reach))
    intake = Intake(database, rooms, workflows, audit_trail, settings, registry)
    gateway = Gateway(settings, database, rooms, intake, keys, limits)
    importer = Importer(database, registry, imported_kinds(reach, database, Sealer(ring)))
    context = Context(
        settings=settings,
        database=database,
        rooms=rooms,
        audit=audit_trail,
        tokens=keys,
        signing=signing,
        limits=limits,
        intake=intake,
        histories=Histories(database, workflows.client, temporal.ui_url),
        asks=Asks(database, rooms, workflows, audit_trail, registry, settings),
        sealer=Sealer(ring),
        registry=registry,
        probes=Probes(settings, database, workflows.client, temporal, gateway.stats),
        memory=MemoryWorkflows(workflows),
        models=Models(settings, database, workflows),
        channels=ChannelDoor(settings, database, rooms, audit_trail, intake, limits),
        searching=Searching(database, workflows, has_memory=settings.memory),
        proving=proving,
        enrolling=Enrolling(database, ring, audit_trail, proving),
        trips=trips,
        oidc=OidcPeople(database, audit_trail, trips, signing, proving),
    )
    mcp = McpDoor(context)
    rest = build_rest(context, _lifespan(gateway, intake, keys, mcp, context.channels, importer), mcp)
    # No on_startup here: it would take the lifespan away from FastAPI.
    whole: ASGIApp = socketio.ASGIApp(gateway.server, other_asgi_app=rest)
    return whole


def build_rest(
    context: Context,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None,
    mcp: McpDoor | None = None,
) -> FastAPI:
    """Build everything but the gateway."""
    app = FastAPI(
        title="Assent",
        summary="Durable conversations, human assent, on any channel.",
        version="1",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.context = context
    app.state.openai = Desk(context)
    app.state.hooks = context.channels.hooks
    if mcp is not None:
        app.router.routes.append(mcp.route())
    app.router.routes.extend(_ROUTES)
    add_handlers(app)
    _describe_problems(app)
    _surround(app, context.settings)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Put the schema of problem documents, which no endpoint returns, into the API's description."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        description = generate()
        description["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return description

    app.openapi = openapi  # type: ignore[method-assign]


def _surround(app: FastAPI, settings: Settings) -> None:
    """Add the layers; the last one added is the outermost."""
    app.add_middleware(
        JsonBodies,
        max_bytes=settings.body_bytes,
        larger={OPENAI_PATH: settings.prompt_bytes, f"{PREFIX}/connectors/imported": imported.BODY_BYTES},
        streamed=STREAMED,
        raw=(HOOKS_PATH,),
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-Assent-Door", *ASKED_HEADERS],
            expose_headers=["Retry-After", *TOLD_HEADERS],
        )
    app.add_middleware(Edge)
    app.add_middleware(OpenAIErrors)


def _lifespan(
    gateway: Gateway, intake: Intake, keys: Tokens, mcp: McpDoor, channels: ChannelDoor, importer: Importer
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def live(_app: FastAPI) -> AsyncIterator[None]:
        await gateway.start()
        try:
            async with importer.live(), mcp.live(), channels.live():
                yield
        finally:
            await gateway.aclose()
            await intake.aclose()
            await keys.aclose()

    return live
