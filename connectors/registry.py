"""The registry: every connector there is, and each action by its full name."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from jsonschema import Draft202012Validator

from connectors.arguments import check_arguments
from connectors.base import Checkable, Connector
from connectors.email.connector import EmailConnector
from connectors.files.connector import FilesConnector
from connectors.files.folder import SUPPORTED as FILES_SUPPORTED
from connectors.guarded import open_guarded
from connectors.manifest import ActionSpec, BadManifest, ConnectorManifest, Effect
from connectors.plugins import plugin_connectors
from connectors.reach import Reach
from connectors.tasks.connector import TasksConnector
from connectors.web.connector import WebConnector
from core.digest import canonical
from core.errors import Conflict, NotFound
from core.permissions import Role
from core.policy import CallFacts, Ruling, evaluate
from core.store.database import Database


class UnknownAction(NotFound):
    """No connector has an action of that name."""

    code, title = "unknown_action", "Unknown action"


class NothingToAsk(Conflict):
    """The connector has no service of its own."""

    code, title = "nothing_to_ask", "Nothing to ask"


@dataclass(frozen=True)
class BoundAction:
    """An action together with the connector that does it."""

    connector: Connector
    spec: ActionSpec

    @property
    def name(self) -> str:
        """The full name, `connector.action`."""
        return f"{self.connector.manifest.id}.{self.spec.name}"

    @cached_property
    def schema_digest(self) -> str:
        """SHA-256, in hex, of all that consent to this action relies on: a change of any of it voids consent."""
        manifest, spec = self.connector.manifest, self.spec
        bound = {
            "connector": manifest.id,
            "connector_version": manifest.version,
            "action": spec.name,
            "version": spec.version,
            "schema": spec.schema_,
            "effect": spec.effect.value,
            "risk": spec.risk.value,
        }
        if manifest.pin is not None:
            bound["pin"] = manifest.pin
        return hashlib.sha256(canonical(bound)).hexdigest()

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return Draft202012Validator(self.spec.schema_)

    def check(self, arguments: Any) -> dict[str, Any]:
        """Return the arguments when the action can take them; raises BadArguments."""
        return check_arguments(self.name, self._validator, arguments)

    @property
    def is_untrusted(self) -> bool:
        """Whether its results hold what outsiders wrote: those of services do, unless their manifest says otherwise."""
        said = self.spec.untrusted
        return self.connector.manifest.origin != "native" if said is None else said

    def ruling(self, role: Role) -> Ruling:
        """Say what the built-in rules make of it when a person of this role asks."""
        spec = self.spec
        return evaluate(
            CallFacts(action=self.name, risk=spec.risk, allow_reason=spec.allow_reason, requester_role=role)
        )


class Registry:
    """All connectors and their actions."""

    def __init__(self, connectors: Sequence[Connector], actions: dict[str, BoundAction]) -> None:
        """Keep what `load` has checked."""
        self._connectors = tuple(connectors)
        self._actions = actions
        self._whole: dict[str, Registry] = {}

    @classmethod
    def load(cls, connectors: Sequence[Connector]) -> Self:
        """Put connectors together; raises BadManifest when two have one id or a reference leads nowhere."""
        ids = [connector.manifest.id for connector in connectors]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            message = f"more than one connector is called {', '.join(twice)}"
            raise BadManifest(message)
        bound = [BoundAction(connector, spec) for connector in connectors for spec in connector.manifest.actions]
        registry = cls(connectors, {action.name: action for action in bound})
        for action in bound:
            registry._check_references(action)
        return registry

    def _check_references(self, action: BoundAction) -> None:
        for name, hint in action.spec.references.items():
            target = self._actions.get(hint["action"])
            if target is None or target.spec.effect is not Effect.READ:
                message = f"{action.name}: {name} is resolved by {hint['action']}, which is no action that reads"
                raise BadManifest(message)
            target.check(hint.get("arguments", {}))

    def of(self, workspace_id: str) -> "Registry":
        """Give the registry as one workspace has it: with what it imported."""
        return self._whole.get(workspace_id, self)

    def import_for(self, workspace_id: str, connectors: Sequence[Connector]) -> None:
        """Put these, and only these, beside those that every workspace has. Raises BadManifest."""
        if connectors:
            self._whole[workspace_id] = Registry.load([*self._connectors, *connectors])
        else:
            self._whole.pop(workspace_id, None)

    def importers(self) -> frozenset[str]:
        """Give the workspaces that have imported something."""
        return frozenset(self._whole)

    def manifests(self) -> list[ConnectorManifest]:
        """Give every connector's manifest."""
        return [connector.manifest for connector in self._connectors]

    def actions(self) -> list[BoundAction]:
        """Give every action, connectors and actions in their own order."""
        return list(self._actions.values())

    def action(self, name: str) -> BoundAction:
        """Give the action of that full name; raises UnknownAction."""
        found = self._actions.get(name)
        if found is None:
            message = "There is no action of that name."
            raise UnknownAction(message)
        return found

    def timeouts(self) -> dict[str, float]:
        """Give the seconds that each action may take."""
        return {name: action.spec.timeout_s for name, action in self._actions.items()}

    def checkable(self, connector_id: str) -> Checkable:
        """Give a connector whose service can be asked whether it is there; raises UnknownAction, NothingToAsk."""
        found = next((one for one in self._connectors if one.manifest.id == connector_id), None)
        if found is None:
            message = "There is no connector of that name here."
            raise UnknownAction(message)
        if not isinstance(found, Checkable):
            message = "This connector has no service of its own that could be asked."
            raise NothingToAsk(message)
        return found

    def describe(self) -> list[dict[str, Any]]:
        """Give what people are shown of each connector, as JSON; `policy` is the default for a member."""
        return [_connector_shown(connector.manifest, self) for connector in self._connectors]


def _connector_shown(manifest: ConnectorManifest, registry: Registry) -> dict[str, Any]:
    actions = [registry.action(f"{manifest.id}.{spec.name}") for spec in manifest.actions]
    return {
        **manifest.model_dump(mode="json", include={"id", "version", "title", "description", "origin"}),
        "actions": [_action_shown(action) for action in actions],
    }


def _action_shown(action: BoundAction) -> dict[str, Any]:
    ruling = action.ruling(Role.MEMBER)
    return {
        **action.spec.model_dump(mode="json", by_alias=True, exclude={"name"}),
        "name": action.name,
        "schema_digest": action.schema_digest,
        "policy": {
            "verdict": ruling.verdict.value,
            "rule": ruling.rule,
            "asking": ruling.asking.model_dump(mode="json") if ruling.asking else None,
        },
    }


_NOWHERE = Reach()


def native_connectors(database: Database, files_root: Path, reach: Reach = _NOWHERE) -> list[Connector]:
    """Build the connectors that come with Assent and can be used here, and those of the packages that were named.

    `files` only where the system can open folder by folder (POSIX), `email` only with a mail server: see `unused`.
    """
    connectors: list[Connector] = [TasksConnector(database)]
    if FILES_SUPPORTED:
        connectors.append(FilesConnector(files_root))
    connectors.append(WebConnector(reach.private_hosts, reach.resolve))
    if reach.smtp is not None:
        connectors.append(EmailConnector(reach.smtp))
    taken = {one.manifest.id for one in (TasksConnector, FilesConnector, WebConnector, EmailConnector)}
    return connectors + plugin_connectors(
        reach.plugins, taken, lambda: open_guarded(reach.private_hosts, resolve=reach.resolve)
    )


def unused(registry: Registry) -> list[tuple[ConnectorManifest, str]]:
    """Give the connectors that come with Assent and cannot be used here, each with what is missing."""
    needs = ((FilesConnector.manifest, "a system with POSIX folders"), (EmailConnector.manifest, "the setting `smtp`"))
    there = {manifest.id for manifest in registry.manifests()}
    return [(manifest, need) for manifest, need in needs if manifest.id not in there]
