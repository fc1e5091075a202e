"""The key ring: every secret of the server is derived from its keys, one for each purpose; the newest is active."""

import base64
import binascii
import hmac
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.clock import now
from core.errors import Misconfigured

Purpose = Literal["jwt", "audit", "codec", "setup-code", "sealing", "buttons"]

FILE_NAME = "keys.json"
_KEY_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class UnknownKey(Misconfigured):
    """Something was signed or encrypted with a key that is not in the ring (any more)."""

    code = "unknown_key"


class KeyRing:
    """Some keys by id, oldest first; values are derived (HKDF-SHA256), so that no two purposes share one."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Keep the master keys; raises Misconfigured when there is none or one is shorter than 32 bytes."""
        if not keys or any(len(key) < _KEY_BYTES for key in keys.values()):
            message = f"A key ring needs keys of at least {_KEY_BYTES} bytes."
            raise Misconfigured(message)
        self._keys = dict(keys)
        self._derived: dict[tuple[str, str], bytes] = {}

    def __repr__(self) -> str:
        """Show ids only."""
        return f"KeyRing({', '.join(self._keys)})"

    def active(self, purpose: Purpose) -> tuple[str, bytes]:
        """Return id and 32 bytes of the newest key for this purpose."""
        key_id = next(reversed(self._keys))
        return key_id, self.get(purpose, key_id)

    def get(self, purpose: Purpose, key_id: str) -> bytes:
        """Return the 32 bytes of one key for this purpose; raises UnknownKey."""
        if key_id not in self._keys:
            message = f"Key {key_id!r} is not in the key ring, which has {', '.join(self._keys)}."
            raise UnknownKey(message)
        found = self._derived.get((purpose, key_id))
        if found is None:
            info = f"assent/{purpose}".encode()
            found = HKDF(SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(self._keys[key_id])
            self._derived[purpose, key_id] = found
        return found


def setup_code(ring: KeyRing) -> str:
    """Return `XXXX-XXXX`, the code that lets the first visitor make the owner; worthless once there is one."""
    digest = hmac.digest(ring.active("setup-code")[1], b"first owner", "sha256")
    letters = "".join(_CODE_LETTERS[byte % len(_CODE_LETTERS)] for byte in digest[:8])
    return f"{letters[:4]}-{letters[4:]}"


def is_setup_code(ring: KeyRing, text: str) -> bool:
    """Tell, in constant time, whether somebody typed the code; case, blanks and the dash do not matter."""
    typed = "".join(text.split()).replace("-", "").upper()
    return hmac.compare_digest(typed.encode("utf-8", "replace"), setup_code(ring).replace("-", "").encode())


def load_ring(data_dir: Path) -> KeyRing:
    """Take the ring from ASSENT_KEYS, the file ASSENT_KEY_FILE, or DATA/keys.json, which is made when missing.

    Raises Misconfigured when a value cannot be read or others on the machine may read the file.
    """
    if written := os.environ.get("ASSENT_KEYS"):
        return KeyRing(_parse_line(written))
    named = os.environ.get("ASSENT_KEY_FILE")
    file = Path(named).expanduser() if named else data_dir / FILE_NAME
    if not named and not file.exists():
        _create(file)
    return KeyRing(_read(file))


def _parse_line(line: str) -> dict[str, bytes]:
    pairs = [part.strip().partition(":") for part in line.split(",") if part.strip()]
    return {key_id: _decode(key_id, text, "ASSENT_KEYS") for key_id, _, text in pairs}


def _decode(key_id: str, text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key_id or len(key) < _KEY_BYTES:
        message = f"{source}: each key is ID:BASE64 with {_KEY_BYTES} bytes or more; {key_id or 'one'!r} is not."
        raise Misconfigured(message)
    return key


def _create(file: Path) -> None:
    """Write a new ring beside its name and link it into place: never half a file, never over an existing one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    made = now()
    key = {"id": f"k{made:%Y%m%d%H%M%S}", "key": base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump({"keys": [key | {"created": made.isoformat()}]}, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        if not file.exists():
            os.link(draft, file)
    except FileExistsError:
        pass  # another process was first: its ring stands
    finally:
        draft.unlink()


def _read(file: Path) -> dict[str, bytes]:
    try:
        with file.open(encoding="utf-8") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if os.name == "posix" and mode & _OTHERS:
                message = f"Others may read the key file {file} (mode {stat.S_IMODE(mode):04o}): chmod 600 it."
                raise Misconfigured(message)
            rows: list[dict[str, Any]] = json.load(opened)["keys"]
        return {str(row["id"]): _decode(str(row["id"]), str(row["key"]), str(file)) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"The key file {file} cannot be read: {error}"
        raise Misconfigured(message) from None
