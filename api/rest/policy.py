"""The workspace's rules: the version that holds and those before, saving the next, and trying them."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, Field, StringConstraints

from api.rehearsal import Rehearsal, Rehearsed, Tried, Written, read_written
from api.rest.context import Context, Here, Proved, Who
from api.rest.messages import Before
from api.rest.pages import Limit, Page
from core.clock import now
from core.errors import Invalid
from core.permissions import Principal
from core.policy.checking import Problem, refuses
from core.policy.comparing import Change, compare
from core.policy.document import PolicyDocument, Risk
from core.policy.reading import BadPolicy, read_data, write_yaml
from core.store import policies
from core.store.work import change
from core.text import SafeStr
from core.values import OperationMode, Value
from core.views import PolicyView

router = APIRouter(prefix="/policy", tags=["policy"])

Yaml = Annotated[SafeStr, StringConstraints(max_length=65_536)]
Version = Annotated[int, Field(ge=0, lt=2**31)]
Note = Annotated[SafeStr, StringConstraints(strip_whitespace=True, max_length=500)]
Short = Annotated[SafeStr, StringConstraints(max_length=300)]


class PolicyText(Value):
    """A policy, as YAML or as JSON."""

    yaml: Yaml | None = Field(None, examples=["rules: []"])
    document: dict[str, Any] | None = None

    def written(self) -> Written:
        """Give what was sent."""
        return Written(yaml=self.yaml, document=self.document)


class NewPolicy(PolicyText):
    """The next version. `expected_version` is the one it was written after: 0 when there was none."""

    expected_version: Version
    note: Note | None = Field(None, examples=["Refunds above 100 need two people"])
    dry_run: Annotated[bool, Field(description="Only say what is wrong and what would change.")] = False


class Trial(PolicyText):
    """A call to try the rules on: those that hold or, with `yaml` or `document`, a draft."""

    user: Short | None = Field(None, description="Who would ask, by id or e-mail address; null: you.")
    action: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(examples=["tasks.delete"])
    arguments: dict[str, Any] = Field(default_factory=dict)
    channel: Short = "rest"
    conversation: Short = ""
    at: AwareDatetime | None = None
    mode: OperationMode | None = None
    untrusted: Annotated[bool, Field(description="The assistant has read what outsiders wrote.")] = False
    repeated: Annotated[bool, Field(description="It was done before.")] = False
    risk: Risk | None = Field(None, description="Of an action that no connector here has.")
    effect: Short = ""


class Comparison(PolicyText):
    """Two versions: null is the one that holds, 0 is no rules. `yaml` or `document` stand in place of `to`."""

    from_: Version | None = Field(None, alias="from")
    to: Version | None = None


class PolicyShown(Value):
    """The rules that hold. Version 0: the built-in rules alone."""

    version: int
    document: dict[str, Any]
    yaml: str
    note: str | None = None
    digest: str
    created_by: str | None = None
    created_by_name: str = ""
    created_at: datetime | None = None


class PolicySaved(Value):
    """What came of saving: `policy` is null when nothing was saved. `changes` are against the version that held."""

    policy: PolicyShown | None
    problems: tuple[Problem, ...]
    changes: tuple[Change, ...]


class Checked(Value):
    """What is wrong; `ok`: it could be saved."""

    ok: bool
    problems: tuple[Problem, ...]


class Compared(Value):
    """What is different."""

    changes: tuple[Change, ...]


def _shown(view: PolicyView | None) -> PolicyShown:
    body = (view.body if view else None) or {}
    source = view.source if view else None
    known = {} if view is None else view.model_dump(include={"note", "created_by", "created_by_name", "created_at"})
    return PolicyShown(
        version=view.version if view else 0,
        document=body,
        yaml=source if source is not None else write_yaml(read_data(body)),
        digest=policies.digest_of(body),
        **known,
    )


def _rehearsal(here: Context) -> Rehearsal:
    expiry = timedelta(seconds=here.settings.approval_expiry_seconds)
    return Rehearsal(here.database, here.registry, expiry)


@router.get("")
async def show(here: Here, who: Who) -> PolicyShown:
    """Show the rules that hold; owners, admins and approvers may."""
    async with here.database.reading() as session:
        return _shown(await policies.newest(session, who))


@router.put("")
async def save(here: Here, who: Proved, body: NewPolicy) -> PolicySaved:
    """Check and save the next version; owners and admins may. It holds at once, for what waits at the gate too."""
    who.must_be(*policies.WRITERS)
    document = await read_written(body.written())
    problems = await _rehearsal(here).check(who, document)
    changes = compare(await _held(here, who), document)
    if body.dry_run:
        return PolicySaved(policy=None, problems=problems, changes=changes)
    if refuses(problems):
        message = f"These rules would not work. {_words(problems[0])}"
        raise BadPolicy(message, problems=[one.model_dump() for one in problems])
    async with change(here.database, here.rooms) as work:
        made = await policies.save(
            work, here.audit, who, document, expected=body.expected_version, source=body.yaml, note=body.note or None
        )
    return PolicySaved(policy=_shown(made), problems=problems, changes=changes)


def _words(problem: Problem) -> str:
    return f"{problem.rule or problem.where}: {problem.message}."


@router.get("/versions")
async def list_versions(here: Here, who: Who, limit: Limit = 50, cursor: Before = None) -> Page[PolicyView]:
    """List the versions, newest first, without what is in them."""
    async with here.database.reading() as session:
        items, following, total = await policies.page(session, who, limit=limit, before=cursor)
    return Page(items=items, next=None if following is None else str(following), total=total)


@router.get("/versions/{version}")
async def show_version(here: Here, who: Who, version: Annotated[int, Path(ge=1, lt=2**31)]) -> PolicyShown:
    """Show one version."""
    async with here.database.reading() as session:
        return _shown(await policies.one(session, who, version))


@router.post("/test")
async def test(here: Here, who: Who, body: Trial) -> Rehearsed:
    """Say what the rules would make of a call: everybody may ask for themselves, for others who may read the rules."""
    draft = None
    if body.yaml is not None or body.document is not None:
        who.must_be(*policies.READERS)
        draft = await read_written(body.written())
    tried = Tried(
        **body.model_dump(exclude={"yaml", "document", "conversation", "at"}),
        conversation_id=body.conversation,
        at=body.at or now(),
    )
    return await _rehearsal(here).run(who, tried, draft)


@router.post("/diff")
async def diff(here: Here, who: Who, body: Comparison) -> Compared:
    """Say in words what is different between two versions, or between one and a draft."""
    old = await _version(here, who, body.from_)
    if body.yaml is None and body.document is None:
        return Compared(changes=compare(old, await _version(here, who, body.to)))
    if body.to is not None:
        message = "`to` and a draft exclude each other."
        raise Invalid(message)
    return Compared(changes=compare(old, await read_written(body.written())))


@router.post("/check")
async def check(here: Here, who: Who, body: PolicyText) -> Checked:
    """Say what is wrong with a draft, as saving would; nothing is saved."""
    who.must_be(*policies.READERS)
    problems = await _rehearsal(here).check(who, await read_written(body.written()))
    return Checked(ok=not refuses(problems), problems=problems)


async def _held(here: Context, who: Principal) -> PolicyDocument:
    """Read the version that holds; one that cannot be read must not keep anybody from replacing it."""
    try:
        return await _version(here, who, None)
    except BadPolicy:
        return PolicyDocument()


async def _version(here: Context, who: Principal, version: int | None) -> PolicyDocument:
    """Read a version: the one that holds when none is named, no rules for 0. Raises NotAllowed, NotFound, BadPolicy."""
    async with here.database.reading() as session:
        view = await (policies.one(session, who, version) if version else policies.newest(session, who))
    return read_data((view.body if view and version != 0 else None) or {})
