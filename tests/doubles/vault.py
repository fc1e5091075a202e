"""A connector whose arguments have a secret, which it tells too freely, and whose reading brings outsiders' words."""

from typing import Any

from connectors.base import CallContext, Preview
from connectors.manifest import ConnectorManifest
from tests.doubles.connector import manifest


class Vault:
    """Keeps a secret, says too much of it, and reads what outsiders wrote."""

    def __init__(self) -> None:
        said = manifest(
            {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "description": "What."},
                    "login": {
                        "type": "object",
                        "description": "How.",
                        "properties": {"pin": {"type": "string", "x-secret": True}},
                    },
                },
                "additionalProperties": False,
            }
        )
        actions = tuple(one.model_copy(update={"untrusted": one.name == "read"}) for one in said.actions)
        self.manifest: ConnectorManifest = said.model_copy(update={"id": "vault", "actions": actions})
        self.sent: list[dict[str, Any]] = []

    async def preview(self, action: str, arguments: dict[str, Any], context: CallContext) -> Preview:
        del context
        return Preview(summary=f"{action} with {arguments.get('login')}")

    async def execute(self, action: str, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        del action, context
        self.sent.append(arguments)
        return {"opened": f"with {arguments.get('login', {}).get('pin')}"}
