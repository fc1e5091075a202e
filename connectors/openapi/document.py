"""An OpenAPI document as text, read within limits: JSON, or YAML as plain data, aliases counted as often as used."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from core.errors import Invalid

MAX_BYTES = 5_242_880
MAX_DEPTH = 80
MAX_NODES = 600_000
_INTEGER = re.compile(r"[-+]?(0|[1-9]\d{0,17})", re.ASCII)
_NUMBER = re.compile(r"[-+]?((\d{1,17}\.\d{0,17}|\.\d{1,17})([eE][-+]?\d{1,2})?|\d{1,17}[eE][-+]?\d{1,2})", re.ASCII)
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_PLAIN_TAGS = {None, "!", "tag:yaml.org,2002:str"}


class BadDocument(Invalid):
    """The text is no document that can be read here; the sentence says why."""

    code, title = "bad_document", "Document not usable"


def read_document(text: str) -> dict[str, Any]:
    """Read a document; raises BadDocument. It may take seconds: call it in a thread."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise BadDocument(f"The document has more than {MAX_BYTES} bytes.")
    read = _json(text) if text.lstrip("\ufeff \t\r\n").startswith("{") else _yaml(text)
    if not isinstance(read, dict):
        raise BadDocument("The document is no object.")
    return read


def _json(text: str) -> Any:
    try:
        read = json.loads(text.lstrip("\ufeff"), parse_constant=_refuse_constant)
    except RecursionError:
        raise BadDocument("The document is nested too deep.") from None
    except ValueError as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadDocument(f"The document is not JSON{where}.") from None
    _measure(read)
    return read


def _refuse_constant(name: str) -> Any:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _measure(read: Any) -> None:
    waiting: list[tuple[Any, int]] = [(read, 0)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        _check(depth, seen)
        if isinstance(value, dict):
            waiting += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]


def _check(depth: int, nodes: int) -> None:
    if depth > MAX_DEPTH:
        raise BadDocument("The document is nested too deep.")
    if nodes > MAX_NODES:
        raise BadDocument(f"The document has more than {MAX_NODES} values.")


def _yaml(text: str) -> Any:
    try:
        return _Builder().build(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise BadDocument(f"The document is neither JSON nor YAML{where}.") from None


class _Builder:
    """Builds plain data of YAML's events; an alias is the same value once more, and counts as large as it is."""

    def __init__(self) -> None:
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: list[_Open] = []
        self._nodes = 0
        self._root: Any = None

    def build(self, events: Iterator[Any]) -> Any:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise BadDocument("There is more than one document in the text.")
            elif isinstance(event, yaml.ScalarEvent):
                self._spend(1)
                self._put(_scalar(event), event.anchor, 1)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event.anchor or "")
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._begin(event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                done = self._open.pop()
                self._put(done.value, done.anchor, self._nodes - done.before)
        return self._root

    def _begin(self, event: Any) -> None:
        if event.tag is not None and not event.implicit:
            raise BadDocument("The document has a YAML tag, which is not taken.")
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Open(value, event.anchor, self._nodes))
        self._spend(1)

    def _alias(self, name: str) -> None:
        if name not in self._anchors:
            raise BadDocument("The document refers to itself, or to an anchor that is not there.")
        value, size = self._anchors[name]
        self._spend(size)
        self._put(value, None, size)

    def _spend(self, nodes: int) -> None:
        self._nodes += nodes
        _check(len(self._open), self._nodes)

    def _put(self, value: Any, anchor: str | None, size: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if self._open:
            self._open[-1].take(value)
        else:
            self._root = value


class _Open:
    """A mapping or sequence that is not at its end yet."""

    def __init__(self, value: Any, anchor: str | None, before: int) -> None:
        self.value = value
        self.anchor = anchor
        self.before = before
        self._key: str | None = None

    def take(self, item: Any) -> None:
        if isinstance(self.value, list):
            self.value.append(item)
        elif self._key is None:
            self._key = _key(item)
        else:
            self.value[self._key] = item
            self._key = None


def _key(item: Any) -> str:
    if isinstance(item, dict | list):
        raise BadDocument("A name in the document is no text.")
    if item is None or isinstance(item, bool):
        return {None: "null", True: "true", False: "false"}[item]
    return str(item)


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.tag not in _PLAIN_TAGS:
        raise BadDocument("The document has a YAML tag, which is not taken.")
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
