"""Documents that no service should give, each with what has to become of it."""

import json
from typing import Any

HERE = "https://api.example.com"
SECRET_FILE = "file:///etc/passwd"


def document(paths: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A document with one harmless operation, or with these paths."""
    ok = {"get": {"operationId": "look", "responses": {}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pets", "version": "1"},
        "servers": [{"url": HERE}],
        "paths": {"/ok": ok, **(paths or {})},
        **more,
    }


def posting(schema: Any, **more: Any) -> dict[str, Any]:
    """A document with one operation that takes a body of this schema."""
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return document({"/things": {"post": {"operationId": "make", "requestBody": body, **more}}})


def laughs(levels: int = 9) -> str:
    """YAML whose aliases stand for a thousand million values."""
    lines = ["openapi: 3.1.0", "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{one}: &a{one} [{', '.join([f'*a{one - 1}'] * 10)}]" for one in range(1, levels)]
    return "\n".join(lines)


def nested(depth: int) -> str:
    return '{"openapi": "3.1.0", "paths": ' + "[" * depth + "]" * depth + "}"


NODE = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, "n": {"type": "integer"}}}
DEEP: dict[str, Any] = {"type": "string"}
for _ in range(30):
    DEEP = {"type": "object", "properties": {"in": DEEP}}
WIDE = {
    "type": "object",
    "properties": {f"p{one}": {"type": "string", "description": "x" * 200} for one in range(5000)},
}
# Each level refers twice to the next: written out it would have 2^40 parts.
DOUBLING = {
    f"L{one}": {"type": "object", "properties": {side: {"$ref": f"#/components/schemas/L{one + 1}"} for side in "ab"}}
    for one in range(40)
} | {"L40": {"type": "string"}}

REFUSED: dict[str, tuple[str, str]] = {
    "billion laughs": (laughs(), "values"),
    "an alias of itself": ("openapi: 3.1.0\npaths: &a [*a]", "refers to itself"),
    "a python object": ("openapi: 3.1.0\nx: !!python/object/apply:os.system ['true']", "tag"),
    "a binary tag": ("openapi: 3.1.0\nx: !!binary aGk=", "tag"),
    "two documents": ("openapi: 3.1.0\n---\nopenapi: 3.1.0", "more than one"),
    "deep JSON": (nested(100_000), "nested too deep"),
    "deep YAML": ("openapi: 3.1.0\npaths: " + "[" * 900 + "]" * 900, "nested too deep"),
    "too large": ("#" * 5_300_000, "bytes"),
    "no document": ("hello", "no object"),
    "another format": (json.dumps({"asyncapi": "3.0.0"}), "no OpenAPI"),
    "not a number": ('{"openapi": "3.1.0", "x": NaN}', "not JSON"),
    "nothing in it": (json.dumps(document() | {"paths": {}}), "no operation"),
    "no server": (json.dumps(document() | {"servers": []}), "base_url"),
    "an open server": (json.dumps(document() | {"servers": [{"url": "https://{tenant}.example.com"}]}), "leaves open"),
    "a server that is a file": (json.dumps(document() | {"servers": [{"url": SECRET_FILE}]}), "base_url"),
    "a server with a password": (json.dumps(document() | {"servers": [{"url": "https://a:b@x.example"}]}), "password"),
    "a server with a query": (json.dumps(document() | {"servers": [{"url": f"{HERE}/?a=1"}]}), "query"),
}
"""Text, and a word of the refusal."""

LEFT_OUT: dict[str, tuple[dict[str, Any], str]] = {
    "a reference to a file": (posting({"$ref": f"{SECRET_FILE}"}), "another document"),
    "a reference to the network": (posting({"$ref": "http://169.254.169.254/latest"}), "another document"),
    "a reference to a neighbour": (posting({"$ref": "other.json#/X"}), "another document"),
    "a path by reference": (document({"/p": {"$ref": "https://evil.example/p"}}), "another document"),
    "a reference to nothing": (posting({"$ref": "#/components/schemas/None"}), "not there"),
    "a circle of references": (
        document({"/p": {"$ref": "#/x/a"}}) | {"x": {"a": {"$ref": "#/x/b"}, "b": {"$ref": "#/x/a"}}},
        "circle",
    ),
    "a path upwards": (document({"/a/../../admin": {"get": {}}}), "path"),
    "a path to another host": (document({"//evil.example/x": {"get": {}}}), "path"),
    "a path with a query": (document({"/a?admin=1": {"get": {}}}), "path"),
    "a path with a new line": (document({"/a\r\nHost: evil": {"get": {}}}), "path"),
    "a path with a hidden character": (document({"/a\u202eb": {"get": {}}}), "path"),
    "a server of its own": (document({"/p": {"post": {"servers": [{"url": "https://evil.example"}]}}}), "elsewhere"),
    "a part of the path not described": (document({"/p/{id}": {"get": {}}}), "does not describe"),
    "a host header": (
        document({"/p": {"get": {"parameters": [{"name": "Host", "in": "header", "required": True}]}}}),
        "header",
    ),
    "a method in disguise": (
        document(
            {"/p": {"get": {"parameters": [{"name": "X-HTTP-Method-Override", "in": "header", "required": True}]}}}
        ),
        "header",
    ),
    "a cookie": (
        document({"/p": {"get": {"parameters": [{"name": "s", "in": "cookie", "required": True}]}}}),
        "cookie",
    ),
    "a file": (posting({"type": "string", "format": "binary"}), "file"),
    "parts": (
        document({"/p": {"post": {"requestBody": {"content": {"multipart/form-data": {}}}}}}),
        "multipart",
    ),
    "a hidden name": (posting({"type": "object", "required": ["a\u200bb"], "properties": {"a\u200bb": {}}}), "shown"),
    "a name that is required and not there": (
        posting({"type": "object", "required": ["ghost"], "properties": {"a": {}}}),
        "ghost",
    ),
}
"""A document, and a word of why its other operation is left out."""

BOUNDED: dict[str, dict[str, Any]] = {
    "recursion": posting({"$ref": "#/components/schemas/Node"}) | {"components": {"schemas": {"Node": NODE}}},
    "doubling": posting({"$ref": "#/components/schemas/L0"}) | {"components": {"schemas": DOUBLING}},
    "deep": posting(DEEP),
    "all of itself": posting({"$ref": "#/components/schemas/A"})
    | {"components": {"schemas": {"A": {"allOf": [{"$ref": "#/components/schemas/A"}, {"type": "integer"}]}}}},
    "doubling in all of it": posting({"$ref": "#/components/schemas/L0"})
    | {
        "components": {
            "schemas": DOUBLING
            | {f"L{one}": {"allOf": [{"$ref": f"#/components/schemas/L{one + 1}"}] * 2} for one in range(40)}
        }
    },
    "a slow pattern": posting({"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}),
    "an endless enum": posting({"type": "object", "properties": {"a": {"enum": [str(one) for one in range(9_000)]}}}),
    "numbers without end": posting({"type": "integer", "minimum": 10**400, "maximum": 1e300, "default": 10**99}),
    "words for our own eyes": posting({"type": "object", "properties": {"a": {"x-resolve": {"action": "files.read"}}}}),
}
"""Documents whose operation is taken, within bounds."""
