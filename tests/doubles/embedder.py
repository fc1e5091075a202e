"""An embedder without a model: words are hashed into 384 places, so that texts which share words are near."""

import hashlib
import math
import re
from collections.abc import Sequence

from workers.memory.port import MemoryUnavailable, Vector

DIMENSION = 384
_WORD = re.compile(r"\w+")


class WordEmbedder:
    """Deterministic, and the same in every process; switch `is_ready` off to have it fail."""

    def __init__(self, model: str = "words-384", *, dimension: int = DIMENSION) -> None:
        self._model = model
        self.dimension = dimension
        self.is_ready = True
        self.asked: list[str] = []

    @property
    def model(self) -> str:
        return self._model

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        if not self.is_ready:
            message = "Memory is still warming up."
            raise MemoryUnavailable(message)
        self.asked.extend(texts)
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Vector:
        places = [0.0] * self.dimension
        for word in _WORD.findall(text.lower()) or [text]:
            # Longer words say more, and an ending is no other word.
            number = int.from_bytes(hashlib.blake2b(word[:6].encode("utf-8", "replace"), digest_size=8).digest(), "big")
            places[number % self.dimension] += math.log2(1 + len(word)) * (1 if number >> 63 else -1)
        length = math.sqrt(math.fsum(one * one for one in places)) or 1.0
        return [one / length for one in places]
