"""Much to learn at once, an import for instance, is written in parts: what is cut off goes on where it was."""

from collections.abc import Sequence

from tests.doubles.embedder import WordEmbedder
from tests.workers.memory.stage import Stage
from workers.memory import keeper
from workers.memory.port import MemoryUnavailable, Vector


class TestLearningInParts:
    async def test_what_was_cut_off_is_not_embedded_again(self, stage: Stage, monkeypatch):
        monkeypatch.setattr(keeper, "ROWS_AT_ONCE", 4)
        ana = await stage.person()
        conversation_id = await stage.conversation(ana)
        await stage.learn()  # the first time builds the tables
        for number in range(10):
            await stage.talk(ana, conversation_id, f"lantern number {number}")
        plain, embedded = WordEmbedder.embed, list[str]()

        async def embed(self: WordEmbedder, texts: Sequence[str]) -> list[Vector]:
            if len(embedded) == 8:
                message = "It ended."
                raise MemoryUnavailable(message)
            embedded.extend(texts)
            return await plain(self, texts)

        with monkeypatch.context() as cut:
            cut.setattr(WordEmbedder, "embed", embed)
            await stage.learn()
        before = len(stage.embedder.asked)
        await stage.learn()

        assert len(embedded) == 8
        assert not {one for one in embedded if "lantern" in one} & set(stage.embedder.asked[before:])
        assert (await stage.verify()).clean
