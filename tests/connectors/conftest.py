"""A database with people in two workspaces, the native connectors on it, and contexts of their calls."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import SQLModel

import core.tables  # noqa: F401 - fills the metadata
from connectors.base import CallContext
from connectors.files.connector import FilesConnector
from connectors.reach import Reach
from connectors.registry import Registry, native_connectors
from core.clock import now
from core.ids import new_id
from core.smtp import SmtpSettings
from core.store.database import Database, open_database
from core.tables.people import User, Workspace
from tests.connectors.hostile import Hostile, hostile_server
from tests.doubles.smtp_server import SmtpDouble, smtp_server

MakeContext = Callable[..., CallContext]


@pytest.fixture
async def database(tmp_path_factory) -> AsyncIterator[Database]:
    """A database without tables yet."""
    async with open_database(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('sql')}/assent.db") as opened:
        yield opened


@pytest.fixture
def files_root(tmp_path) -> Path:
    return tmp_path / "files"


@pytest.fixture(scope="session")
async def website() -> AsyncIterator[Hostile]:
    async with hostile_server() as running:
        yield running


@pytest.fixture
def hostile(website) -> Hostile:
    """A web server that also does what none should; nobody has asked it yet."""
    website.heads.clear()
    return website


@pytest.fixture(scope="session")
def mail(tmp_path_factory) -> Iterator[SmtpDouble]:
    """A mail server that takes everything."""
    with smtp_server(tmp_path_factory.mktemp("mail")) as running:
        yield running


@pytest.fixture
def reach(hostile, mail) -> Reach:
    smtp = SmtpSettings(host="127.0.0.1", port=mail.port, tls="none", from_address="desk@home.example")
    return Reach(smtp, (hostile.address,))


@pytest.fixture
def registry(database, files_root, reach) -> Registry:
    return Registry.load(native_connectors(database, files_root, reach))


@pytest.fixture
def people() -> dict[str, tuple[str, str]]:
    """Ana and Ben share a workspace; Cleo has another. Each is (workspace id, user id)."""
    home, other = new_id("wsp"), new_id("wsp")
    return {"ana": (home, new_id("usr")), "ben": (home, new_id("usr")), "cleo": (other, new_id("usr"))}


@pytest.fixture
async def stored(database, people) -> None:
    """The tables, with the people and their workspaces in them."""
    async with database.writing() as session:
        connection = await session.connection()
        await connection.run_sync(SQLModel.metadata.create_all)
        session.add_all(
            Workspace(id=one, name=one, created_at=now()) for one in sorted({home for home, _ in people.values()})
        )
        await session.flush()
        session.add_all(
            User(id=user_id, email=f"{name}@example.org", name=name, created_at=now())
            for name, (_, user_id) in people.items()
        )


@pytest.fixture
def context(people) -> MakeContext:
    """Make the context of one call; the same `key` is the same call tried again."""

    def make(name: str = "ana", key: str | None = None) -> CallContext:
        workspace_id, user_id = people[name]
        call_id = new_id("cal")
        return CallContext(
            workspace_id=workspace_id,
            user_id=user_id,
            conversation_id=new_id("con"),
            turn_id=new_id("trn"),
            tool_call_id=call_id,
            idempotency_key=key or call_id,
            deadline=now() + timedelta(minutes=1),
        )

    return make


@pytest.fixture
def files(files_root) -> FilesConnector:
    return FilesConnector(files_root)


@pytest.fixture
def home(files_root, people) -> Path:
    """Ana's workspace's folder."""
    path = files_root / people["ana"][0]
    path.mkdir(parents=True)
    return path


@pytest.fixture
def outside(tmp_path) -> Path:
    """A folder that nobody may reach, with a secret in it."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "secret.txt").write_text("secret")
    return path


@pytest.fixture
def use(files, context):
    async def call(action, path, *, name="ana", key=None, **more):
        return await files.execute(action, {"path": path, **more}, context(name, key))

    return call


@pytest.fixture
def everything() -> Callable[[Path], dict[str, str]]:
    """Give every entry under a folder with its content, links not followed."""

    def below(root: Path) -> dict[str, str]:
        found = {}
        for path in sorted(root.rglob("*")):
            if path.is_symlink():
                found[str(path.relative_to(root))] = f"-> {path.readlink()}"
            elif path.is_file():
                found[str(path.relative_to(root))] = path.read_text()
        return found

    return below
