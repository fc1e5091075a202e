"""A conversation's file in three forms: JSON, Markdown and HTML; neither of the last two loads or runs anything."""

import html
import re
from collections.abc import Iterator
from enum import StrEnum

from core.exports import CallRecord, ConversationFile, MessageRecord, name_of, shown_time
from core.text import reveal

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}"
    "article{border-top:1px solid #ccc;padding:.5rem 0}header{color:#555}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit;margin:.25rem 0}"
)
_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_IMAGE = re.compile(r"!(?=\[)")


class Format(StrEnum):
    """How a conversation is written down."""

    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"

    @property
    def media_type(self) -> str:
        """Give the media type."""
        return {"json": "application/json", "markdown": "text/markdown", "html": "text/html"}[self]

    @property
    def suffix(self) -> str:
        """Give the end of the file's name."""
        return {"json": "json", "markdown": "md", "html": "html"}[self]


def written(file: ConversationFile, form: Format) -> bytes:
    """Write the file down, as UTF-8."""
    if form is Format.JSON:
        return file.model_dump_json(indent=1).encode()
    return "\n".join(_markdown(file) if form is Format.MARKDOWN else _html(file)).encode()


def _shown(text: str) -> str:
    """Write every character that could mislead so that it is seen."""
    return reveal(text.replace("\r\n", "\n"))


def _one_line(text: str) -> str:
    return " ".join(_shown(text).split())


def _title(file: ConversationFile) -> str:
    return _one_line(file.conversation.title) or "Conversation"


def _about(file: ConversationFile) -> str:
    origin = "Imported from a file. " if file.imported else ""
    began, taken = shown_time(file.conversation.created_at), shown_time(file.exported_at)
    return f"{origin}Began {began}; written down {taken}."


def _parts(file: ConversationFile) -> Iterator[tuple[str, str, list[str]]]:
    """Give who, when and what version; the text; a line for each tool call of the turn that it ends."""
    people = {one.key: one.name for one in file.people}
    calls: dict[str, list[CallRecord]] = {}
    for call in file.calls:
        calls.setdefault(call.turn_id, []).append(call)
    for one in sorted(file.messages, key=lambda message: message.position):
        lines = [_call(call) for call in calls.get(one.turn_id, ())] if one.role == "assistant" else []
        yield (
            f"{_one_line(name_of(people, one.by, one.role))}, {shown_time(one.created_at)}{_mark(one)}",
            one.text,
            lines,
        )


def _mark(message: MessageRecord) -> str:
    marks = [
        "in another version" if message.branch_id else "",
        "an edit" if message.edit_of_id else "",
        "in a thread" if message.thread_id else "",
        "forgotten" if message.forgotten_at else "",
    ]
    shown = ", ".join(mark for mark in marks if mark)
    return f" ({shown})" if shown else ""


def _call(call: CallRecord) -> str:
    return _one_line(f"{call.action}: {call.state}")


def _markdown(file: ConversationFile) -> Iterator[str]:
    """Quote every text: what somebody said cannot end its quote, look like another's words, or load a picture."""
    yield f"# {_harmless(_title(file))}\n\n{_harmless(_about(file))}\n"
    for head, text, calls in _parts(file):
        yield f"## {_harmless(head)}\n"
        yield "\n".join(f"> {_harmless(line)}".rstrip() for line in _shown(text).split("\n")) + "\n"
        for call in calls:
            yield f"- `{call.replace('`', chr(39))}`"
        if calls:
            yield ""
    if file.documents:
        yield "## Documents\n"
        for document in file.documents:
            yield f"- {_harmless(_one_line(document.name))} ({document.media_type}, {document.size} bytes)"


def _harmless(text: str) -> str:
    return _IMAGE.sub(r"!\\", _TAG.sub("&lt;", text))


def _html(file: ConversationFile) -> Iterator[str]:
    title = html.escape(_title(file))
    yield (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_CSP}"><meta name="referrer" content="no-referrer">'
        f'<title>{title}</title><style>{_STYLE}</style></head><body>\n<h1 dir="auto">{title}</h1>'
        f"<p>{html.escape(_about(file))}</p>"
    )
    for head, text, calls in _parts(file):
        yield f'<article><header dir="auto">{html.escape(head)}</header>'
        yield f'<pre dir="auto">{html.escape(_shown(text))}</pre>'
        yield "".join(f"<p><code>{html.escape(call)}</code></p>" for call in calls) + "</article>"
    if file.documents:
        yield "<h2>Documents</h2><ul>"
        for one in file.documents:
            shown = f"{_one_line(one.name)} ({one.media_type}, {one.size} bytes)"
            yield f'<li dir="auto">{html.escape(shown)}</li>'
        yield "</ul>"
    yield "</body></html>\n"
