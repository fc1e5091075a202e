"""What a server answered, as the JSON that a call gives: its structure where it has one, else its words."""

import json
from collections.abc import Iterator
from typing import Any

from mcp_types import CallToolResult, EmbeddedResource, ResourceLink, TextContent, TextResourceContents

from connectors.base import PermanentFailure
from core.text import clean_text

MAX_CHARACTERS = 100_000
_MAX_SENTENCE = 1_000


def result_of(result: CallToolResult, notes: tuple[str, ...] = ()) -> dict[str, Any]:
    """Give the result; raises PermanentFailure with the server's words when it says that it failed.

    `notes` are ours on what happened on the way.
    """
    if result.is_error:
        said = _text(result)[:_MAX_SENTENCE] or "nothing more"
        raise PermanentFailure(" ".join([f"The server says: {said}", *notes]))
    given: dict[str, Any] = {"notes": list(notes)} if notes else {}
    structure = result.structured_content
    if structure is not None and len(json.dumps(structure, default=str)) <= MAX_CHARACTERS:
        return given | (structure if isinstance(structure, dict) else {"result": structure})
    text = _text(result)
    cut = {"cut": True} if len(text) > MAX_CHARACTERS else {}
    return given | {"text": text[:MAX_CHARACTERS], **cut}


def _text(result: CallToolResult) -> str:
    return clean_text("\n".join(_parts(result)))


def _parts(result: CallToolResult) -> Iterator[str]:
    for part in result.content:
        if isinstance(part, TextContent):
            yield part.text
        elif isinstance(part, EmbeddedResource) and isinstance(part.resource, TextResourceContents):
            yield part.resource.text
        elif isinstance(part, ResourceLink):
            yield f"[a link to {part.uri}]"
        else:
            yield f"[{part.type}, which is not shown]"
