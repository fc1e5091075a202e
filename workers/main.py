"""The composition root of the workers: settings become clients, clients become activities, activities run on queues."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from connectors.channel import channel_client, set_up_channels
from connectors.importing import Importer
from connectors.kinds import imported_kinds
from connectors.reach import Reach
from connectors.registry import Registry, native_connectors
from core.keys import KeyRing
from core.rooms import Rooms
from core.sealing import Sealer
from core.settings import Settings
from core.store import deliveries, model_health
from core.store.audit import AuditTrail
from core.store.database import Database
from workers.acting.act import Actor
from workers.acting.gate import Gate
from workers.asking.ask import Asker
from workers.asking.prepare import Preparer
from workers.asking.revise import Reviser
from workers.delivering.channels import ChannelCarrier, Channels
from workers.delivering.progress import Progress
from workers.delivering.prompts import Prompts
from workers.delivering.replies import Replies
from workers.delivering.sender import Sender
from workers.delivering.webhooks import Webhooks
from workers.judging.judge import Judge
from workers.llm.aside import Aside
from workers.llm.check import Checker
from workers.llm.choose import build_router
from workers.llm.offline.assistant import OfflineAssistant
from workers.llm.router import Router
from workers.memory.embedding_cache import Askable
from workers.memory.look_up import Answerer
from workers.memory.memory import Forgetful, Memory
from workers.memory.place import Place
from workers.memory.port import Embedder, Index
from workers.memory.recall import Recaller
from workers.memory.serving import run_memory
from workers.reading.read import Reader
from workers.records.archive import Archive
from workers.records.handovers import Handovers
from workers.records.publisher import Publisher
from workers.records.reaper import Reaper
from workers.records.relay import Relay
from workers.records.steps import Steps
from workers.reflecting.after import Afterwards
from workers.reflecting.learn import Learner
from workers.reflecting.summarise import Summariser
from workers.thinking.brief import Briefer, Budget
from workers.thinking.calls import ModelCalls
from workers.thinking.consensus import Consensus
from workers.thinking.fallback import Fallback
from workers.thinking.intent import IntentReader
from workers.thinking.neutral import host_of
from workers.thinking.plan import Planner
from workers.thinking.think import Thinker
from workflows import policies
from workflows.approval import Approval
from workflows.ask import Ask
from workflows.chat_turn import ChatTurn
from workflows.check_model import CheckModel
from workflows.handles import Workflows
from workflows.lookup import Lookup
from workflows.memory_handles import MemoryWorkflows
from workflows.read_document import ReadDocument
from workflows.reflect import Reflect

QUEUES = frozenset(
    {policies.TURNS_QUEUE, policies.STEPS_QUEUE, policies.MODELS_QUEUE, policies.ACTIONS_QUEUE}
    | {policies.MEMORY_QUEUE, policies.INDEX_QUEUE}
)
_WORKFLOWS = (ChatTurn, Approval, Ask, CheckModel, Lookup, ReadDocument, Reflect)
DRAIN = timedelta(seconds=4)
SQL_WIDTH = 4
"""How many SQL blocks of workers run at once: more gain nothing, and keep people's messages waiting."""


class Remembers(Protocol):
    """What build_parts takes of memory: vectors, and the index."""

    @property
    def embedder(self) -> Embedder:
        """Turns texts into vectors."""
        ...

    @property
    def index(self) -> Index:
        """What is searched."""
        ...


@dataclass(frozen=True)
class Parts:
    """Everything that runs, made once."""

    thinker: Thinker
    actor: Actor
    asker: Asker
    reviser: Reviser
    preparer: Preparer
    steps: Steps
    relay: Relay
    reaper: Reaper
    handovers: Handovers
    archive: Archive
    publisher: Publisher
    learner: Learner
    summariser: Summariser
    reader: Reader
    answerer: Answerer
    checker: Checker
    sender: Sender
    webhooks: Webhooks
    progress: Progress


def build_parts(
    settings: Settings,
    database: Database,
    client: Client,
    rooms: Rooms,
    ring: KeyRing,
    registry: Registry,
    router: Router,
    prefix: str = "",
    memory: Remembers | None = None,
    channels: Channels | None = None,
) -> Parts:
    """Wire the activities and the upkeep. Without `memory`, nothing is recalled, and nobody says so."""
    audit = AuditTrail(ring)
    workflows = Workflows(client, prefix=prefix, max_rounds=settings.rounds, limit_seconds=settings.turn_limit_seconds)
    aside = Aside(database, rooms, router)
    judge = Judge(registry, timedelta(seconds=settings.approval_expiry_seconds))
    planner = Planner(database, registry, judge, settings.tool_calls, settings.pending_approvals, audit)
    return Parts(
        thinker=_thinker(
            settings, database, rooms, registry, router, _briefer(settings, database, registry, memory), planner
        ),
        actor=Actor(database, rooms, Gate(registry, audit, judge)),
        asker=Asker(database, rooms, audit),
        reviser=Reviser(database, registry, judge),
        preparer=Preparer(database, rooms, audit, judge),
        steps=Steps(database, rooms),
        relay=Relay(database, rooms, workflows, audit),
        reaper=Reaper(database, rooms, workflows),
        handovers=Handovers(database, rooms),
        archive=Archive(database, client),
        publisher=Publisher(
            database, settings.audit_publish_file, settings.audit_publish_url, settings.audit_publish_seconds
        ),
        learner=Learner(database, rooms, registry, aside, asks=_learns(settings)),
        summariser=Summariser(database, rooms, aside, settings.context_tokens),
        reader=Reader(database, rooms, settings.uploads_dir),
        answerer=Answerer(database, memory.embedder if memory else None, memory.index if memory else None),
        checker=Checker(database, rooms, router),
        sender=_sender(settings, database, rooms, ring, audit, channels or {}),
        webhooks=Webhooks(database, rooms, audit, Sealer(ring), settings.webhook_hosts),
        progress=Progress(database, rooms, channels or {}),
    )


def _sender(
    settings: Settings, database: Database, rooms: Rooms, ring: KeyRing, audit: AuditTrail, channels: Channels
) -> Sender:
    prompts = Prompts(database, rooms, ring, settings.public_url, settings.prompts_per_hour)
    carrier = ChannelCarrier(channels, prompts, Replies(database))
    kinds = (deliveries.REPLY, deliveries.PROMPT, deliveries.NOTICE, deliveries.PROGRESS)
    return Sender(database, rooms, audit, dict.fromkeys(kinds, carrier))


def _thinker(
    settings: Settings,
    database: Database,
    rooms: Rooms,
    registry: Registry,
    router: Router,
    briefer: Briefer,
    planner: Planner,
) -> Thinker:
    calls = ModelCalls(router, OfflineAssistant())
    consensus = Consensus(database, rooms, router, calls, registry, settings.consensus)
    return Thinker(
        database,
        rooms,
        registry,
        briefer,
        calls,
        Fallback(database, rooms, router, calls, consensus),
        planner,
        Afterwards(database, registry, learns=_learns(settings), context_tokens=settings.context_tokens),
        _known_hosts(settings),
    )


def _learns(settings: Settings) -> bool:
    return settings.memory and settings.learn_facts


def _briefer(settings: Settings, database: Database, registry: Registry, memory: Remembers | None) -> Briefer:
    budget = Budget(settings.context_tokens, settings.recall_tokens)
    if memory is None:
        return Briefer(registry, settings.rounds, budget)
    recaller = Recaller(
        database, memory.embedder, memory.index, seconds=settings.recall_seconds, tokens=settings.recall_tokens
    )
    return Briefer(registry, settings.rounds, budget, recaller, IntentReader(memory.embedder))


def _known_hosts(settings: Settings) -> frozenset[str]:
    ours = host_of(settings.public_url)
    return frozenset(host.lower() for host in settings.link_hosts) | ({ours} if ours else set())


def build_workers(
    client: Client, parts: Parts, queues: frozenset[str], prefix: str = "", runner: WorkflowRunner | None = None
) -> list[Worker]:
    """Make one Temporal worker for each queue but `index`, see `run_memory`. Tests pass a sandboxed `runner`."""
    steps = parts.steps
    reading: list[Callable[..., Any]] = [parts.reader.read_document, parts.reader.fail_document]
    asking: list[Callable[..., Any]] = [
        parts.asker.open_approval,
        parts.asker.note_approval,
        parts.asker.close_approval,
    ]
    asking += [parts.reviser.revise_approval, parts.preparer.prepare_ask]
    asides: list[Callable[..., Any]] = [parts.learner.learn, parts.summariser.summarise, parts.checker.check_model]
    activities: dict[str, Sequence[Callable[..., Any]]] = {
        policies.TURNS_QUEUE: [steps.park_turn, steps.resume_turn, steps.end_turn],
        policies.STEPS_QUEUE: [*asking, *reading],
        policies.MODELS_QUEUE: [parts.thinker.think, *asides],
        policies.ACTIONS_QUEUE: [parts.actor.act],
        policies.MEMORY_QUEUE: [parts.answerer.look_up],
    }
    return [_worker(client, name, prefix, activities[name], runner) for name in sorted(queues & activities.keys())]


def _worker(
    client: Client, name: str, prefix: str, activities: Sequence[Callable[..., Any]], runner: WorkflowRunner | None
) -> Worker:
    pollers = PollerBehaviorAutoscaling(minimum=2, maximum=50, initial=10)
    return Worker(
        client,
        task_queue=prefix + name,
        workflows=_WORKFLOWS if name == policies.TURNS_QUEUE else (),
        activities=activities,
        workflow_runner=runner or UnsandboxedWorkflowRunner(),
        workflow_task_poller_behavior=pollers,
        activity_task_poller_behavior=pollers,
        max_heartbeat_throttle_interval=policies.HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=policies.HEARTBEAT_THROTTLE,
        sticky_queue_schedule_to_start_timeout=policies.STICKY_TIMEOUT,
        graceful_shutdown_timeout=DRAIN,
    )


async def run_workers(
    settings: Settings,
    database: Database,
    client: Client,
    rooms: Rooms,
    ring: KeyRing,
    queues: set[str] | None,
    stop: asyncio.Event,
    begun: asyncio.Event | None = None,
) -> None:
    """Run the queues (all when None) and, with the turns, the upkeep; drain and return once `stop` is set.

    Memory starts once `begun` is set: it needs seconds of CPU, which the start of the product comes before.
    """
    database = database.behind(SQL_WIDTH)
    reach = Reach(settings.smtp, settings.private_hosts, mcp_servers=settings.mcp_servers, plugins=settings.plugins)
    registry = Registry.load(native_connectors(database, settings.files_dir, reach))
    importer = Importer(database, registry, imported_kinds(reach, database, Sealer(ring)))
    await importer.refresh()
    wanted = frozenset(queues) if queues else QUEUES
    memory = _memory(settings, database, client, rooms, wanted)
    askable = Askable.of(memory.embedder, memory.index) if memory is not None else None
    router = build_router(settings, askable.embedder if askable is not None else None)
    async with database.reading() as session:
        router.health.remember(await model_health.failing(session))
    calling = channel_client()
    channels = set_up_channels(settings.channels, calling)
    parts = build_parts(settings, database, client, rooms, ring, registry, router, memory=askable, channels=channels)
    workers = build_workers(client, parts, wanted)
    runs = [importer.run(stop), *(_run_until(worker, stop) for worker in workers)]
    if policies.TURNS_QUEUE in wanted:
        runs += [
            upkeep.run(stop) for upkeep in (parts.relay, parts.reaper, parts.archive, parts.publisher, parts.reader)
        ]
        runs += [parts.handovers.run(stop), parts.sender.run(stop), parts.webhooks.run(stop), parts.progress.run(stop)]
    if memory is not None:
        runs.append(run_memory(client, memory, begun or _set(), stop))
    elif policies.INDEX_QUEUE in wanted:
        runs.append(Forgetful(database, Place(settings.memory_dir)).run(begun or _set(), stop))
    try:
        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(run)
    finally:
        await router.aclose()
        await calling.aclose()


def _memory(
    settings: Settings, database: Database, client: Client, rooms: Rooms, queues: frozenset[str]
) -> Memory | None:
    """Make memory where something recalls, looks things up or writes the index; None when it is off."""
    if not settings.memory or not queues & {policies.MODELS_QUEUE, policies.MEMORY_QUEUE, policies.INDEX_QUEUE}:
        return None
    workflows = MemoryWorkflows(Workflows(client))
    return Memory(settings, database, rooms, workflows, keeps=policies.INDEX_QUEUE in queues)


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def _run_until(worker: Worker, stop: asyncio.Event) -> None:
    async with worker:
        await stop.wait()
