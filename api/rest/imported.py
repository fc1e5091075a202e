"""Imported connectors: made of a document or a server without code, looked at by a person, and only then used."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, status
from pydantic import Field, SecretStr, StringConstraints

from api.rest.context import Context, Here, PathId, Proved, Who
from api.rest.pages import Cursor, Limit, Page
from connectors.credentials import Credential, parse_credential, seal
from connectors.kinds import imported_readers
from connectors.manifest import ConnectorId
from connectors.reach import Reach
from connectors.reviewed import shown
from connectors.sources import RESERVED, Reader, Wanted
from core.errors import Invalid
from core.permissions import Principal, Role
from core.store import imported
from core.store.work import change
from core.text import SafeStr
from core.values import Value
from core.views.imported import ImportedShown, ImportedView

router = APIRouter(prefix="/connectors/imported", tags=["connectors"])

BODY_BYTES = 12_582_912
"""The largest body here: a document of 5 MB, and what JSON adds to it."""
Url = Annotated[SafeStr, StringConstraints(max_length=2_000)]
Document = Annotated[SafeStr, StringConstraints(max_length=5_242_880)]
Names = Annotated[tuple[Annotated[SafeStr, StringConstraints(max_length=38)], ...], Field(max_length=100)]
Risk = Literal["read", "write", "external_comms", "money", "destructive", "admin"]


class NewCredential(Value):
    """What calls sign in with. `name` and `place` are of an api_key, `user` of basic."""

    kind: Literal["api_key", "bearer", "basic"]
    secret: SecretStr = Field(examples=["sk-..."])
    place: Literal["header", "query"] = "header"
    name: Annotated[SafeStr, StringConstraints(max_length=100)] = "X-Api-Key"
    user: Annotated[SafeStr, StringConstraints(max_length=200)] = ""


class NewImport(Value):
    """What to import: a document, or the address of one; `base_url` is where calls go where it does not say."""

    kind: Annotated[SafeStr, StringConstraints(max_length=20)] = "openapi"
    name: ConnectorId = Field(examples=["crm"])
    document: Document | None = None
    url: Url | None = None
    base_url: Url | None = None
    credential: NewCredential | None = None
    options: dict[str, Any] = Field(default_factory=dict, max_length=20)


class Review(Value):
    """Which actions may be used, and no others; what risk they are; `digest` is of what was looked at."""

    digest: Annotated[SafeStr, StringConstraints(max_length=64)]
    enable: Names = Field(examples=[["get_pet"]])
    risks: dict[Annotated[SafeStr, StringConstraints(max_length=38)], Risk] = Field(default_factory=dict)


class Refresh(Value):
    """A newer document; without one it is read from where it came."""

    document: Document | None = Field(None, examples=["openapi: 3.1.0"])


@router.get("")
async def list_imported(here: Here, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Page[ImportedView]:
    """List what the workspace imported, newest first; for owners and admins."""
    async with here.database.reading() as session:
        items, following, total = await imported.page(session, who, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.post("", status_code=status.HTTP_201_CREATED)
async def import_connector(here: Here, who: Who, body: NewImport) -> ImportedShown:
    """Read a document or a server, and keep what it offers: nothing of it may be used until it is reviewed."""
    await _admit(here, who)
    _check_name(here, body.name)
    credential = _credential(body.credential) if body.credential is not None else None
    wanted = Wanted(
        name=body.name,
        document=body.document,
        url=body.url,
        base_url=body.base_url,
        credential=credential,
        options=body.options,
    )
    found = await _reader(here, body.kind).read(wanted)
    async with change(here.database, here.rooms) as work:
        row = await imported.add(work, here.audit, who, found.draft(body.kind, body.name))
        if credential is not None:
            connection = seal(here.sealer, who.workspace_id, body.name, who.user_id, credential)
            await imported.connect(work, here.audit, who, row, connection)
        return shown(row, await imported.view(work.session, row))


@router.get("/{imported_id}")
async def show(here: Here, who: Who, imported_id: PathId) -> ImportedShown:
    """Show each action with its risk, effect and schema, what was left out and why, and what to be wary of."""
    async with here.database.reading() as session:
        row = await imported.one(session, who, imported_id)
        return shown(row, await imported.view(session, row))


@router.put("/{imported_id}/actions")
async def review(here: Here, who: Proved, imported_id: PathId, body: Review) -> ImportedShown:
    """Say which actions may be used, and what risk they are. Consent and grants that another review gave are void."""
    async with change(here.database, here.rooms) as work:
        row = await imported.review(
            work, here.audit, who, imported_id, digest=body.digest, enable=body.enable, risks=body.risks
        )
        return shown(row, await imported.view(work.session, row))


@router.post("/{imported_id}/refresh")
async def refresh(here: Here, who: Who, imported_id: PathId, body: Refresh) -> ImportedShown:
    """Read it again. When it is another than before, nothing of it may be used until it is reviewed again."""
    await _admit(here, who)
    async with here.database.reading() as session:
        row = await imported.one(session, who, imported_id)
    found = await _reader(here, row.kind).read_again(row, body.document)
    async with change(here.database, here.rooms) as work:
        draft = found.draft(row.kind, row.name)
        kept = await imported.read_again(work, here.audit, who, imported_id, draft, row.digest)
        return shown(kept, await imported.view(work.session, kept))


@router.put("/{imported_id}/credential")
async def set_credential(here: Here, who: Who, imported_id: PathId, body: NewCredential) -> ImportedView:
    """Have its calls sign in with this; nobody can see the secret again."""
    credential = _credential(body)
    async with change(here.database, here.rooms) as work:
        row = await imported.one(work.session, who, imported_id, lock=True)
        connection = seal(here.sealer, who.workspace_id, row.name, who.user_id, credential)
        await imported.connect(work, here.audit, who, row, connection)
        return await imported.view(work.session, row)


@router.delete("/{imported_id}/credential")
async def forget_credential(here: Here, who: Who, imported_id: PathId) -> ImportedView:
    """Have its calls sign in with nothing; the secret is forgotten."""
    async with change(here.database, here.rooms) as work:
        row = await imported.one(work.session, who, imported_id, lock=True)
        await imported.connect(work, here.audit, who, row, None)
        return await imported.view(work.session, row)


@router.delete("/{imported_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove(here: Here, who: Who, imported_id: PathId) -> None:
    """Take it away, with its credential; what waits for consent to it will not run."""
    async with change(here.database, here.rooms) as work:
        await imported.remove(work, here.audit, who, imported_id)


async def _admit(here: Context, who: Principal) -> None:
    who.must_be(Role.OWNER, Role.ADMIN)
    await here.limits.check("model", who.user_id)


def _check_name(here: Context, name: str) -> None:
    if name in RESERVED or name in {manifest.id for manifest in here.registry.manifests()}:
        message = "This name is of a connector that comes with Assent: choose another."
        raise Invalid(message)


def _reader(here: Context, kind: str) -> Reader:
    settings = here.settings
    reach = Reach(settings.smtp, settings.private_hosts, mcp_servers=settings.mcp_servers)
    readers = imported_readers(reach, here.database, here.sealer)
    reader = readers.get(kind)
    if reader is None:
        message = f"Of this kind nothing can be imported; there are: {', '.join(sorted(readers))}."
        raise Invalid(message)
    return reader


def _credential(given: NewCredential) -> Credential:
    return parse_credential(given.model_dump() | {"secret": given.secret.get_secret_value()})
