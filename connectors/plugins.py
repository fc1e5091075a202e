"""Connectors of installed packages: only those that the operator named, held to the same contract as ours.

A package's code runs in our processes and may do what they may: the setting `plugins` is the trust, the rest is care.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import httpx

from connectors.base import Connector
from connectors.manifest import BadManifest, ConnectorManifest

GROUP = "assent.connectors"
OpenClient = Callable[[], httpx.AsyncClient]
"""Opens a client on the guarded way out; whoever opens it closes it."""


def plugin_connectors(named: Sequence[str], taken: Iterable[str], open_client: OpenClient) -> list[Connector]:
    """Build the connectors of the packages named (`NAME`, `NAME==VERSION`); raises BadManifest.

    An entry point of the group `assent.connectors` is a function that takes `open_client` and gives a Connector.
    """
    ids = set(taken)
    found: list[Connector] = []
    for entry in named:
        for connector in _of_package(entry, open_client):
            if connector.manifest.id in ids:
                raise BadManifest(f"{entry}: there is another connector called {connector.manifest.id}")
            ids.add(connector.manifest.id)
            found.append(connector)
    return found


def _of_package(entry: str, open_client: OpenClient) -> list[Connector]:
    name, _, version = entry.partition("==")
    points = [point for point in entry_points(group=GROUP) if _plain(_package(point)) == _plain(name)]
    if not points:
        raise BadManifest(f"plugins: no package {name} is installed here that has connectors")
    other = next(
        (point.dist.version for point in points if point.dist and version and point.dist.version != version), None
    )
    if other is not None:
        raise BadManifest(f"plugins: {name} is installed in version {other}, not {version}")
    return [_build(point, open_client) for point in sorted(points, key=lambda point: point.name)]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else ""


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")


def _build(point: EntryPoint, open_client: OpenClient) -> Connector:
    where = f"{_package(point)}: {point.name}"
    try:
        connector = point.load()(open_client)
    except Exception as error:
        raise BadManifest(f"{where} cannot be loaded: {type(error).__name__}") from error
    _check(where, connector)
    built: Connector = connector
    return built


def _check(where: str, connector: Any) -> None:
    """Hold it to the contract; raises BadManifest."""
    manifest = getattr(connector, "manifest", None)
    if not isinstance(manifest, ConnectorManifest):
        raise BadManifest(f"{where} has no manifest")
    if manifest.origin != "plugin":
        raise BadManifest(f'{where}: its manifest must say origin = "plugin"')
    for method in ("preview", "execute"):
        if not inspect.iscoroutinefunction(getattr(connector, method, None)):
            raise BadManifest(f"{where} has no async method {method}")
    for action in manifest.actions:
        if action.allow_reason is not None:
            raise BadManifest(f"{where}: {action.name} must not pass without asking: leave allow_reason out")
        if action.untrusted is False:
            raise BadManifest(f"{where}: {action.name} must not call its results trusted")
