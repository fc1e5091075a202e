"""Holds every connector to the contract: folder, manifest, policy, references and a story that uses each action."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from connectors.manifest import ConnectorManifest, Risk
from connectors.reach import Reach
from connectors.registry import BoundAction, Registry, native_connectors
from core.errors import AssentError
from core.permissions import Role
from core.smtp import SmtpSettings
from core.store.database import open_database
from core.values import CallVerdict

FOLDER = Path(__file__).resolve().parent.parent / "connectors"
_SMTP = SmtpSettings(host="localhost", from_address="desk@example.com")
_NEVER_ALLOWED = {Risk.DESTRUCTIVE, Risk.ADMIN, Risk.MONEY, Risk.EXTERNAL_COMMS}


def story_of(connector_id: str) -> list[dict[str, Any]]:
    """Give a connector's story: its actions in an order that makes sense, with summary and result of each."""
    path = FOLDER / connector_id / "fixtures" / "story.json"
    story: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.exists() else []
    return story


def problems(registry: Registry) -> list[str]:
    """Name everything that breaks the contract."""
    folders = {path.parent.name for path in FOLDER.glob("*/manifest.toml")}
    ids = {manifest.id for manifest in registry.manifests()}
    found = [f"{name}: its folder and the registry do not agree" for name in sorted(folders ^ ids)]
    for manifest in registry.manifests():
        found += _story_problems(manifest)
    for action in registry.actions():
        found += [f"{action.name}: {problem}" for problem in _policy_problems(action)]
    return found


def _story_problems(manifest: ConnectorManifest) -> list[str]:
    told = {step["action"] for step in story_of(manifest.id)}
    actions = {action.name for action in manifest.actions}
    return [f"{manifest.id}: its story and its manifest differ about {name}" for name in sorted(told ^ actions)]


def _policy_problems(action: BoundAction) -> list[str]:
    found = []
    spec = action.spec
    rulings = {role: action.ruling(role) for role in Role}
    allowed = any(ruling.verdict is CallVerdict.ALLOW for ruling in rulings.values())
    if spec.risk in _NEVER_ALLOWED and allowed:
        found.append(f"risk {spec.risk} is allowed without asking")
    if spec.risk is Risk.WRITE and spec.allow_reason is None and allowed:
        found.append("writes without asking, and gives no reason")
    if rulings[Role.VIEWER].verdict is not CallVerdict.DENY:
        found.append("a viewer can use it")
    if not any("{" in example for example in spec.examples) and spec.schema_.get("required"):
        found.append("no example shows where an argument stands")
    return found


async def _main() -> int:
    async with open_database("sqlite+aiosqlite:///never-opened.db") as database:  # nothing here connects
        try:
            registry = Registry.load(native_connectors(database, FOLDER, Reach(smtp=_SMTP)))
        except AssentError as error:
            print(error.detail)
            return 1
    found = problems(registry)
    for problem in found:
        print(problem)
    print(f"{len(registry.manifests())} connectors, {len(registry.actions())} actions, {len(found)} problems")
    return bool(found)


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
