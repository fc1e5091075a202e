"""Pieces hold all of a text, none too long, each cut where a sentence ends."""

from hypothesis import given
from hypothesis import strategies as st

from workers.reading.pieces import LENGTH, OVERLAP, Block, cut

blocks = st.lists(
    st.builds(
        Block,
        text=st.text(alphabet="ab .!?\n\u3002", max_size=400).map(lambda text: text * 7),
        page=st.integers(1, 5),
        is_heading=st.booleans(),
    ),
    max_size=12,
)


class TestPieces:
    @given(blocks)
    def test_no_piece_is_long_and_nothing_is_lost(self, given_blocks):
        pieces = list(cut(given_blocks))

        assert [piece.text for piece in pieces if not 0 < len(piece.text) <= LENGTH] == []
        for block in given_blocks:
            for word in block.text.split():
                if len(word) < LENGTH // 4:
                    assert any(word in piece.text for piece in pieces)

    def test_a_piece_ends_with_a_sentence_and_the_next_repeats_the_last(self):
        text = " ".join(f"This is sentence number {number}." for number in range(200))
        first, second, *_ = [piece.text for piece in cut([Block(text)])]

        assert first.endswith(".")
        assert first.rsplit(". ", 1)[-1] in second[:OVERLAP]

    def test_one_endless_word_is_cut(self):
        assert max(len(piece.text) for piece in cut([Block("x" * 5_000)])) <= LENGTH
