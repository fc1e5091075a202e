"""The codec: nothing readable travels, old keys decrypt, changes are noticed."""

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload

from core.codec import KEY_ID, RingCodec, Undecipherable
from core.keys import KeyRing, UnknownKey
from core.temporal import data_converter

OLD, NEW = b"o" * 32, b"n" * 32
BEFORE = KeyRing({"old": OLD})
AFTER = KeyRing({"old": OLD, "new": NEW})
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"the secret"')


class Value(BaseModel):
    text: str


class TestCodec:
    async def test_what_goes_in_comes_out(self):
        codec = RingCodec(AFTER)
        [sealed] = await codec.encode([PLAIN])

        assert b"secret" not in sealed.SerializeToString()
        assert await codec.decode([sealed]) == [PLAIN]

    async def test_the_newest_key_encrypts_and_an_old_one_still_decrypts(self):
        [before] = await RingCodec(BEFORE).encode([PLAIN])
        [after] = await RingCodec(AFTER).encode([PLAIN])

        assert (before.metadata[KEY_ID], after.metadata[KEY_ID]) == (b"old", b"new")
        assert await RingCodec(AFTER).decode([before, after]) == [PLAIN, PLAIN]

    async def test_a_key_that_is_gone_is_named(self):
        [after] = await RingCodec(AFTER).encode([PLAIN])

        with pytest.raises(UnknownKey, match="new"):
            await RingCodec(BEFORE).decode([after])

    async def test_plain_payloads_pass(self):
        assert await RingCodec(AFTER).decode([PLAIN]) == [PLAIN]

    @pytest.mark.parametrize("position", [0, 13, -1])
    async def test_a_changed_byte_is_noticed(self, position):
        [sealed] = await RingCodec(AFTER).encode([PLAIN])
        data = bytearray(sealed.data)
        data[position] ^= 1
        sealed.data = bytes(data)

        with pytest.raises(Undecipherable):
            await RingCodec(AFTER).decode([sealed])

    async def test_a_payload_cannot_claim_another_key(self):
        [sealed] = await RingCodec(KeyRing({"old": OLD})).encode([PLAIN])
        sealed.metadata[KEY_ID] = b"new"

        with pytest.raises(Undecipherable):
            await RingCodec(KeyRing({"new": OLD})).decode([sealed])

    async def test_a_cut_payload_is_noticed(self):
        [sealed] = await RingCodec(AFTER).encode([PLAIN])
        sealed.data = sealed.data[:5]

        with pytest.raises(Undecipherable):
            await RingCodec(AFTER).decode([sealed])

    async def test_pydantic_values_survive_the_whole_converter(self):
        converter = data_converter(AFTER)
        sealed = await converter.encode([Value(text="grüße")])

        assert [Value(text="grüße")] == await converter.decode(sealed, [Value])
