"""The roles of the server in processes of their own, beside a Temporal server and on the same data."""

from pathlib import Path

from cli.serve.temporal_server import TemporalServer
from tests.journeys.product import Product


class Apart:
    """The api and a worker as processes of their own, beside a Temporal server and on the same data."""

    def __init__(self, product: Product, server: TemporalServer, folder: Path) -> None:
        self.address = server.address
        self._settings = {"ASSENT_TEMPORAL_ADDRESS": server.address}
        self.data = product.data
        self.api = Product(folder, "api")
        self.workers: list[Product] = []
        self._folder = folder

    async def open(self, *arguments: str, **settings: str) -> None:
        self._settings |= settings
        await self.api.start(**self._settings)
        await self.add_worker(*arguments)

    async def add_worker(self, *arguments: str) -> Product:
        worker = Product(self._folder, "worker")
        self.workers.append(worker)
        await worker.launch(*arguments, **self._settings)
        return worker

    async def close(self) -> None:
        for one in (self.api, *self.workers):
            await one.close()
