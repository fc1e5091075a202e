"""Fills an action's arguments from what was said, by the schema: quoted texts, file names, numbers, one of a list."""

import re
from dataclasses import dataclass, field
from typing import Any

from workers.llm.offline.direct import coerce_value, types_of
from workers.llm.offline.phrases import without_politeness
from workers.llm.offline.tools import Tool
from workers.llm.offline.words import STOP_WORDS, is_verb, plain, same, tokenize, unquote

FILE = re.compile(
    r"(?<![\w./\\-])(?:[\w\-.]+/)*[\w\-]*\.?[\w\-]+\.[A-Za-z0-9]{1,8}(?![\w/])|(?<!\w)(?:[\w\-.]+/)+[\w\-.]*"
)
ID = re.compile(r"^(?=.*\d)[A-Za-z]{2,8}[_-][A-Za-z0-9-]{6,}$|^[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}$")
URL = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]", re.IGNORECASE)
EMAIL = re.compile(r"[^\s@<>\"',;]+@[^\s@<>\"',;]+\.[^\s@<>\"',;.]+")
NUMBER = re.compile(r"(?<![\w.\-])-?\d+(?:\.\d+)?(?![\w.]\d|\w)")
_FORMS = {"email": EMAIL, "uri": URL}
MOST_ANSWER = 200
_EDGE = " \t\n\r,;:!.-\u2013\u2014"
_LEAD = re.compile(r"^(?:the|a|an|my|our|your|this|that|these|those|new|another)\s+", re.IGNORECASE)
_CALLED = re.compile(r"^(?:called|named|titled|saying|that says|with the (?:title|name)|to|:|-)\s*", re.IGNORECASE)
_TAIL = re.compile(
    r"\s+(?:to|from|on|in|off|of|onto|into|out of)\s+(?:my|the|our|your|this)\s+((?:[\w\-]+\s+){0,2}[\w\-]+)\s*$",
    re.IGNORECASE,
)
_FILE_LEAD = re.compile(
    r"^(?:the|my|a)\s+(?:(?:file|folder|document)\s+)?(?:(?:called|named)\s+)?|^(?:file|folder)\s+", re.IGNORECASE
)
_NOTHING = frozenset({"a", "an", "the", "my", "our", "your", "some", "new", "another", "me", "to"})
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}$")
_PREPOSITION = re.compile(r"^(?:of|for|from|about|by|with|to)\s+", re.IGNORECASE)
_PRONOUN = re.compile(r"^(?:it|this|that|them|one)$", re.IGNORECASE)


@dataclass(frozen=True)
class Filled:
    """Arguments by property; `named`: things by property, called by name; `sure`: a value had just the right form."""

    arguments: dict[str, Any] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    sure: bool = False


def from_slots(tool: Tool, slots: dict[str, str], *, with_noun: bool) -> Filled | None:
    """Fill from an example's placeholders; None when a value cannot be what its property asks for."""
    arguments: dict[str, Any] = {}
    named: dict[str, str] = {}
    sure = False
    for slot, said in slots.items():
        name = tool.property_of(slot)
        value = clean(tool, said)
        if name is None:
            continue
        if not value or value.lower() in _NOTHING:
            return None
        if tool.is_path(name):
            path = path_in(value, loose=with_noun, folder=tool.is_folder(name))
            if path is None:
                return None
            arguments[name], sure = path, True
        elif name in tool.references and not ID.match(value):
            named[name] = value
        elif (fitting := _fitting(value, tool.properties[name])) is not None:
            arguments[name] = fitting
            sure = sure or _form_of(tool.properties[name]) is not None
        else:
            return None
    return Filled(arguments, named, sure)


def clean(tool: Tool, said: str) -> str:
    """Take away what only leads to a value ("the task called") or follows it ("from my list"); quotes end it."""
    value = said.strip().strip(_EDGE)
    if unquote(value) != value:
        return unquote(value)
    tail = _TAIL.search(value)
    if tail is not None and plain(tail.group(1).split()[-1]) in tool.nouns | {"list"}:
        value = value[: tail.start()]
    shorter = _without_noun(tool, value)
    return unquote(shorter.strip(_EDGE)) or unquote(value)


def _without_noun(tool: Tool, value: str) -> str:
    bare = value if _PRONOUN.match(value) else _LEAD.sub("", value)
    first, _, rest = bare.partition(" ")
    is_noun = tool.noun and plain(first) == tool.noun
    if is_noun and (rest.strip() or bare != value or first.endswith(":")):
        return _CALLED.sub("", rest.strip(_EDGE))
    return value


def path_in(value: str, *, loose: bool, folder: bool = False) -> str | None:
    """Give the file that a text names; without an ending only when `loose`: the word "file" was said."""
    bare = _FILE_LEAD.sub("", value).strip(_EDGE + "?")
    if FILE.fullmatch(bare):
        return None if folder and not loose and _ENDING.search(bare) else bare
    return bare if loose and bare and " " not in bare and bare.lower() not in STOP_WORDS else None


def _fitting(value: str, schema: dict[str, Any]) -> Any:
    """Give the value as its schema wants it; None when it cannot be that."""
    if "enum" in schema:
        return next((one for one in schema["enum"] if _is_one(str(one), value)), None)
    types = types_of(schema)
    given = coerce_value(value, schema)
    if types & {"integer", "number"} and "string" not in types and isinstance(given, str):
        number = NUMBER.search(value)
        given = coerce_value(number.group(), schema) if number else None
        return None if isinstance(given, str) else given
    if form := _form_of(schema):
        found = list(dict.fromkeys(form.findall(value)))
        return (found if "items" in schema else found[0]) if found else None
    return None if isinstance(given, str) and types and "string" not in types else given


def _form_of(schema: dict[str, Any]) -> re.Pattern[str] | None:
    """Give the form that a value, or each value of a list, is known by; None when it has none."""
    return _FORMS.get(schema.get("format", "") or schema.get("items", {}).get("format", ""))


def _is_one(choice: str, said: str) -> bool:
    bare = said.strip(_EDGE + "?").lower()
    return choice.lower() == bare or same(choice.lower(), plain(bare))


def answer_to(tool: Tool, name: str, said: str) -> Any:
    """Give what a person answered when asked for one argument; None when it cannot be that."""
    value = unquote(without_politeness(said) if len(said) < MOST_ANSWER else said)
    if tool.is_path(name):
        return path_in(value, loose=True) or value
    return _fitting(value, tool.properties[name])


def keyed(tool: Tool, text: str, known: tuple[str, ...]) -> dict[str, Any]:
    """Give what was said as `property=value` or `property: value`."""
    found: dict[str, Any] = {}
    for name, schema in tool.properties.items():
        words = re.escape(name).replace("_", "[_ ]")
        said = re.search(rf"(?<!\w){words}\s*[=:]\s*(\"[^\"]*\"|'[^']*'|[^\s,;]+)", text, re.IGNORECASE)
        if said and name not in known and (value := _fitting(unquote(said.group(1)), schema)) is not None:
            found[name] = value
    return found


def from_text(tool: Tool, text: str, *, with_rest: bool = True) -> Filled:
    """Fill without an example's help: by form first, then quoted texts in order, then the rest for the first text.

    Without `with_rest`, what has no form of its own stays open: somebody has to be asked.
    """
    arguments = keyed(tool, text, ()) | _by_form(tool, text)
    open_texts = [
        name for name in tool.required if name not in arguments and tool.is_text(name) and not tool.is_path(name)
    ]
    quoted = [token.plain for token in tokenize(text) if token.quoted]
    values = dict(zip(open_texts, quoted, strict=False))
    if with_rest and not quoted and len(open_texts) == 1 and (rest := _rest(tool, text)):
        values[open_texts[0]] = rest
    named = {name: value for name, value in values.items() if name in tool.references and not ID.match(value)}
    fitting = {
        name: given
        for name, value in values.items()
        if name not in named and (given := _fitting(value, tool.properties[name])) is not None
    }
    return Filled(arguments | fitting, named)


def _by_form(tool: Tool, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, schema in tool.properties.items():
        value: Any = None
        if tool.is_path(name):
            value = path.group() if (path := FILE.search(text)) else None
        elif _form_of(schema) and ("items" not in schema or name in tool.required):
            value = _fitting(text, schema)
        elif name == "email":
            value = address.group() if (address := EMAIL.search(text)) else None
        elif types_of(schema) & {"integer", "number"} and name in tool.required:
            value = _fitting(number.group(), schema) if (number := NUMBER.search(text)) else None
        elif "enum" in schema:
            value = next(
                (one for one in schema["enum"] if re.search(rf"(?i)(?<!\w){re.escape(str(one))}(?!\w)", text)), None
            )
        if value is not None:
            found[name] = value
    return found


def _rest(tool: Tool, text: str) -> str:
    """Give what follows the verb and the words that name the tool's things."""
    said = without_politeness(text)
    for token in tokenize(said):
        word = token.plain
        if token.quoted or not (is_verb(word) or word in tool.verbs | tool.nouns or _LEAD.match(f"{word} ")):
            return clean(tool, _PREPOSITION.sub("", said[token.start :]))
    return ""
