"""A connector that keeps a ledger of what it was asked to do, and fails or waits when a test says so."""

import asyncio
from typing import Any

from connectors.base import Answered, CallContext, Preview
from connectors.manifest import ActionSpec, ConnectorManifest

SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "description": "What it says."}},
    "required": ["text"],
    "additionalProperties": False,
}
_EFFECTS = {
    "read": ("read", "read", None),
    "add": ("write", "idempotent", "a note harms nobody here"),
    "put": ("write", "idempotent", None),
    "send": ("external_comms", "at_most_once", None),
    "drop": ("destructive", "at_most_once", None),
}


def manifest(schema: dict[str, Any] | None = None, version: int = 1, **risks: str) -> ConnectorManifest:
    """Give the manifest; `risks` overrules single actions' risks."""
    actions = [
        ActionSpec.model_validate(
            {
                "name": name,
                "version": version,
                "title": name.capitalize(),
                "description": f"{name} a note",
                "risk": risks.get(name, risk),
                "effect": effect,
                "allow_reason": reason if name not in risks else None,
                "schema": schema or SCHEMA,
                "examples": [f"{name} a note"],
                "timeout_s": 20,
                "max_concurrency": 16,
            }
        )
        for name, (risk, effect, reason) in _EFFECTS.items()
    ]
    return ConnectorManifest(
        id="note", version="1.0.0", title="Notes", description="Notes for tests", actions=tuple(actions)
    )


class LedgerConnector:
    """`sent` is each execution, `answers` what it was told; `kept` what took effect, once for each idempotency key."""

    def __init__(self, given: ConnectorManifest | None = None) -> None:
        self._manifest = given or manifest()
        self.sent: list[tuple[str, dict[str, Any], str]] = []
        self.answers: list[Answered | None] = []
        self.kept: dict[str, dict[str, Any]] = {}
        self.failures: list[Exception] = []
        self.answer: dict[str, Any] | None = None
        self.entered = asyncio.Event()
        self.hold: asyncio.Event | None = None

    @property
    def manifest(self) -> ConnectorManifest:
        return self._manifest

    async def preview(self, action: str, arguments: dict[str, Any], context: CallContext) -> Preview:
        del context
        return Preview(summary=f"{action} {arguments.get('text')}")

    async def execute(self, action: str, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        self.sent.append((action, arguments, context.idempotency_key))
        self.answers.append(context.answer)
        self.entered.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.kept[context.idempotency_key] = arguments
        return self.answer or {"noted": arguments["text"]}

    @property
    def actions(self) -> list[str]:
        """The names of what was executed, in order."""
        return [name for name, _, _ in self.sent]
