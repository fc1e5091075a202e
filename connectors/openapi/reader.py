"""Reads an OpenAPI document: fetched by the guarded way out or given as text, and never trusted."""

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any

import httpcore
from pydantic import ValidationError

from connectors.addresses import PrivateHosts
from connectors.fetching import fetch, parse_url
from connectors.guarded import Guard, open_guarded
from connectors.manifest import ActionSpec, ConnectorManifest
from connectors.openapi.document import MAX_BYTES, BadDocument, read_document
from connectors.openapi.operations import METHODS, Maker, Operation
from connectors.openapi.places import Key, base_of, keys_of
from connectors.openapi.references import References, Unusable
from connectors.openapi.words import quoted, said
from connectors.reach import Reach
from connectors.sources import Found, LeftOut, Wanted
from core.digest import canonical
from core.errors import Invalid
from core.tables.connect import Imported

MAX_ACTIONS = 400
MAX_OPERATIONS = 5_000
MAX_KEPT = 2_097_152
"""Bytes of all actions together."""
_SECONDS = 30.0
_OK = 200


class OpenApiReader:
    """Makes actions of documents."""

    def __init__(self, reach: Reach) -> None:
        """Take what may be reached besides the internet."""
        self._reach = reach

    async def read(self, wanted: Wanted) -> Found:
        """Read the document; raises Invalid or a ConnectorError."""
        if (wanted.document is None) == (wanted.url is None):
            message = "Give either the document, or the address that it is at."
            raise Invalid(message)
        if wanted.options:
            message = "A document has no options."
            raise Invalid(message)
        text = wanted.document if wanted.url is None else await self._fetched(wanted.url)
        return await self._found(wanted.name, text or "", wanted.url, wanted.base_url)

    async def read_again(self, row: Imported, document: str | None) -> Found:
        """Read it from where it came, or from the new text; its calls go where they went. Raises Invalid."""
        url = row.source.get("url")
        if document is None and url is None:
            message = "It was given as text: send the newer document."
            raise Invalid(message)
        text = document if document is not None else await self._fetched(str(url))
        return await self._found(row.name, text, url, row.source["base_url"])

    async def _fetched(self, url: str) -> str:
        async with open_guarded(
            self._reach.private_hosts, resolve=self._reach.resolve, max_bytes=MAX_BYTES, seconds=_SECONDS
        ) as client:
            wanted = {"accept": "application/json, application/yaml, text/yaml, */*;q=0.5"}
            answer = await fetch(client, url, headers=wanted, seconds=_SECONDS, max_bytes=MAX_BYTES)
        if answer.status != _OK:
            raise BadDocument(f"There is no document at this address (it answers {answer.status}).")
        try:
            return answer.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise BadDocument("What is at this address is no text in UTF-8.") from None

    async def _found(self, name: str, text: str, url: str | None, base_url: str | None) -> Found:
        found = await asyncio.to_thread(import_document, name, text, url, base_url)
        warning = await self._reachable(found.address)
        return found.model_copy(update={"warnings": (*found.warnings, warning)}) if warning else found

    async def _reachable(self, address: str) -> str | None:
        """Refuse a place that calls must not reach, before somebody relies on it; AddressRefused."""
        url = parse_url(address)
        guard = Guard(PrivateHosts.parse(self._reach.private_hosts), resolve=self._reach.resolve)
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            await guard.addresses(url.host, port)
        except httpcore.ConnectError:
            return f"{url.host} has no address now: nothing can be called there until it has."
        return None


def import_document(name: str, text: str, url: str | None = None, base_url: str | None = None) -> Found:
    """Make all of a document; raises Invalid. It may take seconds."""
    document = read_document(text)
    if not str(document.get("openapi", "")).startswith("3.") and str(document.get("swagger", "")) != "2.0":
        raise BadDocument("The document is no OpenAPI document of version 3, and none of Swagger 2.")
    references = References(document)
    base = base_of(document, url, base_url)
    keys = keys_of(document, references)
    actions, bindings, left_out = _actions(name, document, references, keys)
    if not actions:
        why = f": {left_out[0].name}: {left_out[0].why}" if left_out else "."
        raise BadDocument(f"The document has no operation that could be called{why}")
    manifest = _manifest(name, document, actions)
    source = {
        "url": url,
        "base_url": base,
        "bindings": bindings,
        "keys": [key.model_dump() for key in keys],
    }
    said_of = manifest.model_dump(mode="json", by_alias=True)
    said_of["actions"].sort(key=lambda action: action["name"])  # another order is no other document
    bound = {"manifest": said_of, "source": source}
    return Found(
        manifest=manifest,
        source=source,
        digest=hashlib.sha256(canonical(bound)).hexdigest(),
        address=base,
        left_out=tuple(left_out),
        warnings=tuple(_warnings(document, base, url, keys)),
    )


def _manifest(name: str, document: dict[str, Any], actions: list[ActionSpec]) -> ConnectorManifest:
    info = document.get("info") if isinstance(document.get("info"), dict) else {}
    about = f"{said(info.get('title'), 100)}: {said(info.get('description'), 300)}" if info else ""
    try:
        return ConnectorManifest(
            id=name,
            version="1.0.0",
            title=f"{name} (imported)",
            description=f"Imported from an OpenAPI document. {quoted(about, 450)}".strip(),
            origin="openapi",
            actions=tuple(actions),
        )
    except ValidationError as error:
        raise BadDocument("The document cannot be made into a connector.") from error


def _actions(
    connector: str, document: dict[str, Any], references: References, keys: list[Key]
) -> tuple[list[ActionSpec], dict[str, Any], list[LeftOut]]:
    secrets = frozenset((key.place, key.name.lower()) for key in keys if key.kind == "api_key")
    maker = Maker(connector, references, secrets)
    actions: dict[str, ActionSpec] = {}
    bindings: dict[str, Any] = {}
    left_out: list[LeftOut] = []
    kept = 0
    for number, operation in enumerate(_operations(document, references, left_out)):
        if number >= MAX_OPERATIONS or len(actions) >= MAX_ACTIONS or kept > MAX_KEPT:
            why = f"at most {MAX_ACTIONS} actions of {MAX_KEPT} bytes are taken of a document"
            left_out.append(LeftOut(name="the rest", why=why))
            break
        try:
            made = maker.make(operation, set(actions))
            kept += len(canonical(made.action))
            name = made.action["name"]
            actions[name] = ActionSpec.model_validate(made.action)
            bindings[name] = made.binding.model_dump(mode="json")
        except Unusable as why:
            left_out.append(LeftOut(name=operation.label, why=str(why)))
        except (ValidationError, RecursionError):
            left_out.append(LeftOut(name=operation.label, why="it cannot be said as an action here"))
    return list(actions.values()), bindings, left_out[:MAX_ACTIONS]


def _operations(document: dict[str, Any], references: References, left_out: list[LeftOut]) -> Iterator[Operation]:
    paths = document.get("paths")
    for path, given in paths.items() if isinstance(paths, dict) else ():
        try:
            item = references.follow(given)
        except Unusable as why:
            left_out.append(LeftOut(name=said(path, 80), why=str(why)))
            continue
        shared = item.get("parameters")
        shared = tuple(one for one in shared if isinstance(one, dict)) if isinstance(shared, list) else ()
        for method in METHODS:
            if isinstance(item.get(method), dict):
                operation = item[method] | ({"servers": True} if item.get("servers") else {})
                yield Operation(
                    method=method.upper(), path=path, shared=shared, said=operation, swagger="swagger" in document
                )


def _warnings(document: dict[str, Any], base: str, url: str | None, keys: list[Key]) -> Iterator[str]:
    host = parse_url(base).host
    if base.startswith("http://"):
        yield "Calls go unencrypted (http): who is between reads them, and what they sign in with."
    if url is not None and parse_url(url).host != host:
        yield f"The document is at {said(parse_url(url).host, 100)}, and its calls go to {host}."
    yield from (key.advice for key in keys)
    if not keys and document.get("security"):
        yield "It wants callers to sign in, and does not say how."
    yield f"What only reads is not asked for: what the assistant looks for there is told to {host}."
