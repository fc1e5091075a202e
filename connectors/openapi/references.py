"""References inside one document: local ones only, to what is there; nothing is ever read from elsewhere."""

from typing import Any
from urllib.parse import unquote

_MAX_STEPS = 20


class Unusable(Exception):
    """A part of a document that becomes no action; the sentence says why."""


class References:
    """Resolves `$ref` in one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Take the whole document."""
        self._document = document

    def follow(self, part: Any) -> dict[str, Any]:
        """Give what a part is, or what it refers to in the end; raises Unusable."""
        for _ in range(_MAX_STEPS):
            if not isinstance(part, dict):
                raise Unusable("a part of it is no object")
            if "$ref" not in part:
                return part
            part = self.at(part["$ref"])
        raise Unusable("its references go round in a circle")

    def at(self, reference: Any) -> Any:
        """Give what one reference names; raises Unusable for what is not in this document."""
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise Unusable("it refers to another document, which is never read")
        here: Any = self._document
        for step in reference[2:].split("/"):
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(here, list) and name.isascii() and name.isdigit() and int(name[:9]) < len(here):
                here = here[int(name[:9])]
            elif isinstance(here, dict) and name in here:
                here = here[name]
            else:
                raise Unusable("it refers to something that is not there")
        return here
