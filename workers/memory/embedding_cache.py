"""Vectors of what was just asked, kept: a message is embedded once, whichever parts of a turn ask for it."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workers.memory.embedder import URGENT_TEXTS
from workers.memory.port import Embedder, Index, Vector

KEPT = 256


class AskedBefore:
    """An embedder that knows its newest answers.

    They are kept under the model's name and a digest of the text: another model's are never given, and no text stays.
    """

    def __init__(self, embedder: Embedder) -> None:
        """Take who embeds."""
        self._embedder = embedder
        self._known: OrderedDict[tuple[str, bytes], Vector] = OrderedDict()

    @property
    def model(self) -> str:
        """The name under which vectors are kept."""
        return self._embedder.model

    @property
    def is_ready(self) -> bool:
        """Whether `embed` will answer at once."""
        return self._embedder.is_ready

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Give one unit vector for each text, in order. Raises MemoryUnavailable."""
        given = {text: vector for text in texts if (vector := self._known.get(self._key(text))) is not None}
        missing = [text for text in dict.fromkeys(texts) if text not in given]
        if missing:
            before = self.model
            vectors = await self._urgently(missing)
            if self.model != before:  # another was loaded meanwhile: vectors of two models never meet
                return await self._urgently(texts)
            given |= zip(missing, vectors, strict=True)
        self._keep(given)
        return [given[text] for text in texts]

    async def _urgently(self, texts: Sequence[str]) -> list[Vector]:
        """Ask in pieces that go before what is only to be learned: somebody waits."""
        pieces = [texts[at : at + URGENT_TEXTS] for at in range(0, len(texts), URGENT_TEXTS)]
        found = await asyncio.gather(*(self._embedder.embed(piece) for piece in pieces))
        return [vector for vectors in found for vector in vectors]

    def _key(self, text: str) -> tuple[str, bytes]:
        return self.model, hashlib.sha256(text.encode("utf-8", "replace")).digest()

    def _keep(self, given: Mapping[str, Vector]) -> None:
        for text, vector in given.items():
            self._known[self._key(text)] = vector
            self._known.move_to_end(self._key(text))
        while len(self._known) > KEPT:
            self._known.popitem(last=False)


@dataclass(frozen=True)
class Askable:
    """What those who ask of memory share: vectors of what was just asked, and the index."""

    embedder: Embedder
    index: Index

    @classmethod
    def of(cls, embedder: Embedder, index: Index) -> "Askable":
        """Keep the newest answers of this embedder."""
        return cls(AskedBefore(embedder), index)
