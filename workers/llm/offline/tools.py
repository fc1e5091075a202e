"""What the offline assistant knows of an action, all of it from the manifest: words, examples, references."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workers.llm.offline.align import Pattern, compile_pattern
from workers.llm.offline.direct import types_of
from workers.llm.offline.words import content_words, is_verb, plain
from workers.llm.port import ToolSpec

_PATH_NAMES = frozenset({"path", "file", "filename", "file_name", "filepath", "file_path", "folder", "directory"})

_LIST = re.compile(r"\b(?:my|the|a|an|to-do|todo|your)\s+(?:[\w-]+\s+)?list\b", re.IGNORECASE)


@dataclass(frozen=True)
class Reference:
    """Where an id comes from: `action` lists items; the one whose `match` was named gives its `value`."""

    action: str
    match: str
    value: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """An action."""

    spec: ToolSpec

    @property
    def name(self) -> str:
        return self.spec.name

    @cached_property
    def properties(self) -> dict[str, dict[str, Any]]:
        found = self.spec.schema.get("properties", {})
        return {name: schema for name, schema in found.items() if isinstance(schema, dict)}

    @cached_property
    def required(self) -> tuple[str, ...]:
        named = set(self.spec.schema.get("required", ()))
        return tuple(name for name in self.properties if name in named)

    @cached_property
    def references(self) -> dict[str, Reference]:
        """Give the properties that are ids of things which people call by name (`x-resolve`)."""
        found: dict[str, Reference] = {}
        for name, schema in self.properties.items():
            hint = schema.get("x-resolve")
            if isinstance(hint, dict) and isinstance(hint.get("action"), str):
                found[name] = Reference(
                    hint["action"], hint.get("match", "title"), hint.get("value", "id"), dict(hint.get("arguments", {}))
                )
        return found

    @cached_property
    def patterns(self) -> tuple[Pattern, ...]:
        """Give the examples; without one that has a placeholder, the plain "verb noun" of the name as well."""
        examples = [*self.spec.examples, f"{self.verb} {self.noun}"]
        return tuple(one for one in map(compile_pattern, examples) if one is not None)

    @cached_property
    def verb(self) -> str:
        """The action's own name as words: `add`, `create event`."""
        return re.sub(r"[_\-.]", " ", self.name.partition(".")[2] or self.name).strip()

    @cached_property
    def namespace(self) -> str:
        return self.name.partition(".")[0]

    @cached_property
    def noun(self) -> str:
        """One thing of this connector: `task` for `tasks`; empty when the action's name has its own."""
        return "" if " " in self.verb else plain(re.sub(r"[_\-]", " ", self.namespace))

    @cached_property
    def words(self) -> frozenset[str]:
        """All words that speak for this action."""
        examples = (re.sub(r"\{\w+\}", " ", one) for one in self.spec.examples)
        return frozenset(content_words(" ".join((self.name.replace(".", " "), self.spec.description, *examples))))

    @cached_property
    def nouns(self) -> frozenset[str]:
        """The words that name its things rather than what is done."""
        named = frozenset(content_words(self.name.partition(".")[0]))
        has_list = any(_LIST.search(text) for text in (self.spec.description, *self.spec.examples))
        others = frozenset(word for word in self.words if not is_verb(word))
        return named | others | ({"list"} if has_list else frozenset())

    @cached_property
    def verbs(self) -> frozenset[str]:
        """The verbs that its name and its examples begin with."""
        begun = (content_words(text)[:1] for text in (self.verb, *self.spec.examples))
        return frozenset(word for words in begun for word in words)

    def is_path(self, name: str) -> bool:
        schema = self.properties.get(name, {})
        return name in _PATH_NAMES or schema.get("format") in {"path", "file"}

    def property_of(self, slot: str) -> str | None:
        """Give the property that a placeholder stands for: its own name, or the id whose thing it names."""
        if slot in self.properties:
            return slot
        return next((name for name, one in self.references.items() if one.match == slot), None)

    def is_folder(self, name: str) -> bool:
        return name in {"folder", "directory", "dir"}

    def is_text(self, name: str) -> bool:
        types = types_of(self.properties.get(name, {}))
        return not types or "string" in types
