"""Encrypts what travels through Temporal: AES-GCM, with the key's id beside each payload."""

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from core.errors import Misconfigured
from core.keys import KeyRing

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
_NONCE_BYTES = 12
_CONTEXT = b"assent payload 1 "


class Undecipherable(Misconfigured):
    """A payload was changed on its way, or belongs to another ring."""

    code = "undecipherable"


class RingCodec(PayloadCodec):
    """Encrypts with the newest key of a ring and decrypts with any; payloads that are plain stay as they are."""

    def __init__(self, ring: KeyRing) -> None:
        """Keep the ring."""
        self._ring = ring

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt each payload whole, its metadata included."""
        key_id, key = self._ring.active("codec")
        cipher = AESGCM(key)
        return [_encrypt(cipher, key_id, payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt; raises core.keys.UnknownKey or Undecipherable."""
        return [self._decrypt(payload) for payload in payloads]

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode("utf-8", "replace")
        cipher = AESGCM(self._ring.get("codec", key_id))
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, _bound_to(key_id)))
        except (InvalidTag, ValueError):
            message = f"A payload encrypted with key {key_id!r} was changed, or this is not the key it was made with."
            raise Undecipherable(message) from None


def _encrypt(cipher: AESGCM, key_id: str, payload: Payload) -> Payload:
    nonce = os.urandom(_NONCE_BYTES)
    sealed = cipher.encrypt(nonce, payload.SerializeToString(), _bound_to(key_id))
    return Payload(metadata={"encoding": ENCODING, KEY_ID: key_id.encode()}, data=nonce + sealed)


def _bound_to(key_id: str) -> bytes:
    return _CONTEXT + key_id.encode()
