"""The publisher: what it wrote outside is enough to find a chain that was cut off."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cli.talk.audit import read_heads
from core.store.audit import AuditTrail
from core.store.work import change
from tests.world import World
from workers.records.publisher import Publisher


class Receiver(HTTPServer):
    """Takes what is posted; answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts: list[bytes] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/heads"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.posts.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
async def chain(world: World, audit: AuditTrail) -> str:
    workspace_id = await world.workspace()
    await add(world, audit, workspace_id)
    return workspace_id


async def add(world: World, audit: AuditTrail, workspace_id: str) -> None:
    async with change(world.database, world.rooms) as work:
        await audit.record(work, workspace_id, "ana", "test.kind", "something")


class TestPublisher:
    async def test_appends_what_grew_and_nothing_else(
        self, world: World, audit: AuditTrail, chain: str, tmp_path: Path
    ):
        file = tmp_path / "heads.jsonl"
        publisher = Publisher(world.database, file, None, 60)
        await publisher.publish()
        await publisher.publish()
        await add(world, audit, chain)
        await publisher.publish()

        heads = await asyncio.to_thread(read_heads, file)

        assert [head.number for head in heads if head.workspace_id == chain] == [1, 2]
        async with world.database.reading() as session:
            assert (await audit.verify(session, chain, heads)).intact

    async def test_posts_again_what_did_not_arrive(self, world: World, chain: str, receiver: Receiver):
        publisher = Publisher(world.database, None, receiver.url, 60)
        receiver.status = 500
        with pytest.raises(Exception, match="500"):
            await publisher.publish()
        receiver.status = 200
        await publisher.publish()
        await publisher.publish()

        assert len(receiver.posts) == 2
        assert all(chain.encode() in post for post in receiver.posts)
