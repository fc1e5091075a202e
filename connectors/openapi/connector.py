"""A connector made of an OpenAPI document: shows each request whole, sends it only to the host that was reviewed."""

import hashlib
import json
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlencode

import httpx
from pydantic import ValidationError

from connectors.base import CallContext, Change, NeedsAuthorization, Preview
from connectors.credentials import Credential, Vault
from connectors.manifest import BadManifest, ConnectorManifest, Effect, Risk
from connectors.openapi.operations import Binding
from connectors.openapi.request import Request, request_of
from connectors.openapi.sending import Answer, Sender
from connectors.reach import Reach
from connectors.reviewed import reviewed_manifest
from core.clock import now
from core.masking import MASK, mask
from core.store.service_health import CHOSEN
from core.tables.connect import Imported
from core.text import clean_text, has_hidden, reveal

_MARGIN_SECONDS = 2.0
"""What is kept of the time for a call: what came of it is said by us, not by the clock."""
_MAX_TEXT = 60_000
_MAX_JSON = 120_000
_MAX_SHOWN = 20_000
_SHORT_SECRET = 6


class OpenApiConnector:
    """Calls one service as its document, reviewed by a person, says."""

    def __init__(
        self, row: Imported, manifest: ConnectorManifest, bindings: dict[str, Binding], vault: Vault, reach: Reach
    ) -> None:
        """Take what `of` has checked."""
        self._row = row
        self._manifest = manifest
        self._bindings = bindings
        self._vault = vault
        self._base: str = row.source["base_url"]
        self._sender = Sender(reach.private_hosts, reach.resolve)

    @classmethod
    def of(cls, row: Imported, vault: Vault, reach: Reach) -> Self:
        """Build it of its row; raises BadManifest."""
        manifest = reviewed_manifest(row)
        try:
            bindings = {
                action.name: Binding.model_validate(row.source["bindings"][action.name]) for action in manifest.actions
            }
        except (KeyError, ValidationError) as error:
            raise BadManifest(f"{row.name}: how its calls are made is not known") from error
        return cls(row, manifest, bindings, vault, reach)

    @property
    def manifest(self) -> ConnectorManifest:
        """What may be used of it."""
        return self._manifest

    def host_of(self, _action: str, _arguments: dict[str, Any]) -> str:
        """Stand for the host by a hash: other workspaces share the breakers' table, and see nothing of it."""
        host = httpx.URL(self._base).netloc
        return CHOSEN + hashlib.sha256(self._row.id.encode() + host).hexdigest()[:24]

    async def preview(self, action: str, arguments: dict[str, Any], context: CallContext) -> Preview:
        """Show the request as it would be sent, but for what signs in; PermanentFailure when it cannot be made."""
        del context
        spec = self._manifest.action(action)
        masked = mask(spec.secrets, arguments)
        request_of(self._base, self._bindings[action], arguments)
        request = request_of(self._base, self._bindings[action], masked)
        url = _readable(request.url)
        changes = [Change(label="Request", after=reveal(f"{request.method} {url}"))]
        changes += [Change(label=name, after=reveal(text)) for name, text in self._headers_shown(action, masked)]
        if request.body is not None:
            changes.append(Change(label="Body", after=_body_shown(masked["body"])))
        where = httpx.URL(self._base).host
        return Preview(
            summary=_cut(reveal(f"{request.method} {url}"), 200),
            changes=tuple(changes),
            reversible=spec.risk is Risk.READ,
            warnings=tuple(self._warnings(where, arguments)),
        )

    def _headers_shown(self, action: str, arguments: dict[str, Any]) -> list[tuple[str, str]]:
        found = [one for one in self._bindings[action].parameters if one.place == "header"]
        return [
            (f"Header {one.name}", str(arguments[one.argument]))
            for one in found
            if arguments.get(one.argument) is not None
        ]

    def _warnings(self, where: str, arguments: dict[str, Any]) -> list[str]:
        found = [f"{self._row.name} was imported: nobody here has checked what {where} does with this."]
        if self._base.startswith("http://"):
            found.append("It goes unencrypted (http).")
        if has_hidden(json.dumps(arguments, ensure_ascii=False)):
            found.append("The arguments have characters that cannot be seen; they are shown as [U+…].")
        return found

    async def execute(self, action: str, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        """Send it; raises a ConnectorError for whatever is no success."""
        spec, binding = self._manifest.action(action), self._bindings[action]
        request = request_of(self._base, binding, arguments)
        credential = await self._vault.enter(self._row, action)
        if credential is None and self._row.connection_id is not None:
            raise NeedsAuthorization("The credential of this service was removed: set a new one.")
        headers = dict(credential.headers) if credential is not None else {}
        if binding.idempotency_header is not None:
            headers[binding.idempotency_header] = context.idempotency_key
        left = (context.deadline - now()).total_seconds() - _MARGIN_SECONDS
        url = _signed(request, credential)
        once = spec.effect is Effect.AT_MOST_ONCE
        answer = await self._sender.send(request, headers, url, max(1.0, left), once=once)
        return _result(answer, credential)


def _signed(request: Request, credential: Credential | None) -> str:
    """Add the key to the address where a service wants it there; no argument may stand in for it."""
    if credential is None or not credential.query:
        return request.url
    there, _, query = request.url.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in credential.query]
    return f"{there}?{urlencode([*kept, *credential.query.items()], quote_via=quote)}"


def _readable(url: str) -> str:
    """Write an address as a person reads it, its query unescaped name by name."""
    there, _, query = url.partition("?")
    pairs = [f"{_plain(name)}={_plain(value)}" for name, value in parse_qsl(query, keep_blank_values=True)]
    return there + (f"?{'&'.join(pairs)}" if pairs else "")


def _plain(text: str) -> str:
    """Leave escaped what would look like another parameter."""
    for one in "%&=#":
        text = text.replace(one, quote(one))
    return text


def _body_shown(body: Any) -> str:
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, indent=2)
    return _cut(reveal(text), _MAX_SHOWN)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _result(answer: Answer, credential: Credential | None) -> dict[str, Any]:
    """Give what a service answered as JSON, without the secret should it have been sent back."""
    kind = answer.content_type.partition(";")[0].strip().lower()
    found: dict[str, Any] = {"status": answer.status}
    if answer.location:
        found["location"] = _without(clean_text(answer.location[:500]), credential)
    if not answer.body:
        return found
    text = _without(clean_text(answer.body.decode("utf-8", "replace")), credential)
    if kind == "application/json" or kind.endswith("+json"):
        return found | _json(text)
    if kind.startswith("text/") or kind in {"application/xml", ""} or kind.endswith("+xml"):
        return found | {"text": text[:_MAX_TEXT], "cut": len(text) > _MAX_TEXT}
    return found | {"type": reveal(kind[:80]), "bytes": len(answer.body)}


def _json(text: str) -> dict[str, Any]:
    if len(text) <= _MAX_JSON:
        try:
            return {"body": json.loads(text)}
        except (ValueError, RecursionError):
            pass
    return {"text": text[:_MAX_TEXT], "cut": len(text) > _MAX_TEXT}


def _without(text: str, credential: Credential | None) -> str:
    secret = credential.secret.get_secret_value() if credential is not None else ""
    return text.replace(secret, MASK) if len(secret) >= _SHORT_SECRET else text
