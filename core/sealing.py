"""Secrets at rest: AES-GCM under the key ring, bound to the row that holds them, so that none can be moved."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import Misconfigured
from core.keys import KeyRing
from core.values import Value

_NONCE_BYTES = 12
_CONTEXT = b"assent sealed 1"


class Unsealable(Misconfigured):
    """A sealed secret was changed, or lies in a row that it was not sealed for."""

    code = "unsealable"


class Sealed(Value):
    """What is stored of a secret: the id of the key, and nonce and ciphertext together."""

    key_id: str
    ciphertext: bytes


class Sealer:
    """Seals with the newest key of a ring and opens with any."""

    def __init__(self, ring: KeyRing) -> None:
        """Keep the ring."""
        self._ring = ring

    def seal(self, table: str, row_id: str, secret: str) -> Sealed:
        """Encrypt a secret for one row of one table."""
        key_id, key = self._ring.active("sealing")
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, secret.encode(), _bound_to(key_id, table, row_id))
        return Sealed(key_id=key_id, ciphertext=nonce + sealed)

    def open(self, table: str, row_id: str, key_id: str, ciphertext: bytes) -> str:
        """Decrypt what a row holds; raises Unsealable, or core.keys.UnknownKey when its key is gone from the ring."""
        cipher = AESGCM(self._ring.get("sealing", key_id))
        nonce, sealed = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, _bound_to(key_id, table, row_id)).decode()
        except (InvalidTag, ValueError):
            message = f"The secret of {table} {row_id} was changed, moved there, or sealed with another key."
            raise Unsealable(message) from None

    def reseal(self, table: str, row_id: str, key_id: str, ciphertext: bytes) -> Sealed | None:
        """Seal with the newest key what an older one sealed; None when it is the newest already."""
        if key_id == self._ring.active("sealing")[0]:
            return None
        return self.seal(table, row_id, self.open(table, row_id, key_id, ciphertext))


def _bound_to(key_id: str, table: str, row_id: str) -> bytes:
    """Name the row; the separator cannot be part of a name, so no two rows give the same."""
    return b"\x1f".join((_CONTEXT, key_id.encode(), table.encode(), row_id.encode()))
