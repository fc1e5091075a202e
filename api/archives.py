"""A conversation's file with its documents, as one zip: written as it is sent, read within bounds."""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError
from pydantic_core import from_json

from api.exports import Format, written
from api.problems import in_words
from core.errors import Invalid, TooLarge
from core.exports import ConversationFile, DocumentRecord

NAME = "conversation"
_PART = 262_144
_ENTRIES, _UNPACKED, _RATIO, _HARMLESS = 1_000, 200_000_000, 100, 1_000_000


class _Sink:
    """Takes what is written until somebody fetches it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Have nothing to flush."""

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def packed(file: ConversationFile, form: Format, folder: Path, keys: Mapping[str, str]) -> Iterator[bytes]:
    """Give the archive in parts: the conversation, as JSON too, then each document whose file is there."""
    there = {one.id: folder / keys[one.id] for one in file.documents if keys.get(one.id)}
    there = {one: path for one, path in there.items() if path.is_file()}
    documents = tuple(
        one.model_copy(update={"file": f"documents/{place}"}) if one.id in there else one
        for place, one in enumerate(file.documents, 1)
    )
    whole = file.model_copy(update={"documents": documents})
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for wanted in dict.fromkeys((Format.JSON, form)):
            archive.writestr(f"{NAME}.{wanted.suffix}", written(whole, wanted))
            yield sink.take()
        for one in documents:
            if one.file is not None:
                with archive.open(one.file, "w") as entry, there[one.id].open("rb") as source:
                    while part := source.read(_PART):
                        entry.write(part)
                        yield sink.take()
                yield sink.take()
    yield sink.take()


@dataclass(frozen=True)
class Brought:
    """What somebody sent to be imported; `archive` when it was one."""

    file: ConversationFile
    sha256: str
    archive: zipfile.ZipFile | None


def unpacked(source: IO[bytes], max_bytes: int) -> Brought:
    """Read what was sent, JSON or a zip with it; raises Invalid, TooLarge."""
    digest = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]
    source.seek(0)
    if not source.read(4).startswith(b"PK\x03\x04"):
        source.seek(0)
        return Brought(_parsed(source.read()), digest, None)
    try:
        archive = zipfile.ZipFile(source)
        _check_bounds(archive.infolist())
        with archive.open(f"{NAME}.json") as entry:
            text = entry.read(max_bytes + 1)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        message = f"This is no archive with a {NAME}.json in it."
        raise Invalid(message) from error
    if len(text) > max_bytes:
        message = f"The conversation in it has more than {max_bytes} bytes."
        raise TooLarge(message)
    return Brought(_parsed(text), digest, archive)


def _check_bounds(entries: list[zipfile.ZipInfo]) -> None:
    total, size = sum(one.file_size for one in entries), sum(one.compress_size for one in entries)
    bomb = total > _HARMLESS and total > _RATIO * max(size, 1)
    if len(entries) > _ENTRIES or total > _UNPACKED or bomb:
        message = "This archive unpacks to more than is taken in."
        raise TooLarge(message)


def _parsed(text: bytes) -> ConversationFile:
    try:
        from_json(text, allow_inf_nan=False)
        return ConversationFile.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"This is no file of a conversation: {in_words(where, first['msg'])}"
        raise Invalid(message) from None
    except ValueError as error:
        message = f"This is no JSON: {error}."
        raise Invalid(message) from None


def document(archive: zipfile.ZipFile, record: DocumentRecord) -> bytes:
    """Give a document's content out of an archive; raises Invalid unless it is what the file says."""
    try:
        with archive.open(record.file or "") as entry:
            data = entry.read(record.size + 1)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        message = "A document of the archive cannot be unpacked."
        raise Invalid(message) from error
    if len(data) != record.size or hashlib.sha256(data).hexdigest() != record.sha256:
        message = "A document of the archive is not what its file says."
        raise Invalid(message)
    return data
