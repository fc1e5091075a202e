"""Secrets at rest: they open in their own row only, and with old keys until they are sealed anew."""

import pytest

from core.keys import KeyRing, UnknownKey
from core.sealing import Sealer, Unsealable

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
def sealer(ring: KeyRing) -> Sealer:
    return Sealer(ring)


class TestSealer:
    def test_a_secret_comes_back_from_its_row(self, sealer: Sealer):
        sealed = sealer.seal("totps", "usr_1", "gehéim")

        assert sealer.open("totps", "usr_1", sealed.key_id, sealed.ciphertext) == "gehéim"
        assert "gehéim".encode() not in sealed.ciphertext

    @pytest.mark.parametrize(("table", "row"), [("totps", "usr_2"), ("webhooks", "usr_1"), ("totpsusr", "_1")])
    def test_it_does_not_open_in_another_row(self, sealer: Sealer, table: str, row: str):
        sealed = sealer.seal("totps", "usr_1", "secret")

        with pytest.raises(Unsealable):
            sealer.open(table, row, sealed.key_id, sealed.ciphertext)

    @pytest.mark.parametrize("place", [0, 12, -1])
    def test_a_changed_byte_is_noticed(self, sealer: Sealer, place: int):
        sealed = sealer.seal("totps", "usr_1", "secret")
        changed = bytearray(sealed.ciphertext)
        changed[place] ^= 1

        with pytest.raises(Unsealable):
            sealer.open("totps", "usr_1", sealed.key_id, bytes(changed))

    @pytest.mark.parametrize("nothing", [b"", b"short"])
    def test_what_is_no_ciphertext_is_refused(self, sealer: Sealer, nothing: bytes):
        with pytest.raises(Unsealable):
            sealer.open("totps", "usr_1", "test", nothing)


class TestRotation:
    def test_old_secrets_open_and_are_sealed_anew(self):
        before = Sealer(KeyRing({"k1": OLD})).seal("totps", "usr_1", "secret")
        sealer = Sealer(KeyRing({"k1": OLD, "k2": NEW}))
        fresh = sealer.reseal("totps", "usr_1", before.key_id, before.ciphertext)

        assert fresh is not None
        assert fresh.key_id == "k2"
        assert sealer.reseal("totps", "usr_1", fresh.key_id, fresh.ciphertext) is None
        assert Sealer(KeyRing({"k2": NEW})).open("totps", "usr_1", fresh.key_id, fresh.ciphertext) == "secret"

    def test_without_its_key_it_stays_shut(self):
        sealed = Sealer(KeyRing({"k1": OLD})).seal("totps", "usr_1", "secret")

        with pytest.raises(UnknownKey):
            Sealer(KeyRing({"k2": NEW})).open("totps", "usr_1", sealed.key_id, sealed.ciphertext)
