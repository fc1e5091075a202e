"""From an action's arguments to one request: only ever to the host that was reviewed."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from connectors.base import PermanentFailure
from connectors.openapi.operations import Binding, Parameter
from core.values import Value

_MAX_BODY = 1_048_576
_SEPARATORS = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}


class Request(Value):
    """What would be sent, without what signs in."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None


def request_of(base: str, binding: Binding, arguments: dict[str, Any]) -> Request:
    """Make a request; raises PermanentFailure when the arguments would lead elsewhere or cannot be written."""
    path, query, headers = (
        binding.path,
        list[tuple[str, str]](),
        {"accept": "application/json, text/*;q=0.8, */*;q=0.5"},
    )
    for parameter in binding.parameters:
        value = arguments.get(parameter.argument)
        if value is None:
            continue
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", quote(_one(parameter, value), safe=""))
        elif parameter.place == "query":
            query += _pairs(parameter, value)
        else:
            headers[parameter.name] = _header(parameter, value)
    body = _body(binding, arguments, headers)
    url = _joined(base, path, query)
    return Request(method=binding.method, url=url, headers=headers, body=body)


def _joined(base: str, path: str, query: list[tuple[str, str]]) -> str:
    """Put the address together, and see that it still leads to the same place."""
    if "{" in path or any(part in {".", ".."} for part in path.split("/")):
        raise PermanentFailure("The arguments would make another address of this call.")
    text = f"{base}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
    there, here = httpx.URL(base), httpx.URL(text)
    same = (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port)
    if not same or not here.path.startswith(there.path.rstrip("/") + "/") or here.fragment or here.userinfo:
        raise PermanentFailure("The arguments would make another address of this call.")
    return text


def _one(parameter: Parameter, value: Any) -> str:
    text = _text(value) if not isinstance(value, list | dict) or parameter.as_json else ""
    if parameter.as_json:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        text = ",".join(_text(one) for one in value)
    elif isinstance(value, dict):
        text = ",".join(f"{name},{_text(one)}" for name, one in value.items())
    if not text or text in {".", ".."}:
        raise PermanentFailure(f"{parameter.argument} must not be empty or a step to another address.")
    return text


def _header(parameter: Parameter, value: Any) -> str:
    text = _one(parameter, value)
    if not all(" " <= one <= "~" for one in text):
        raise PermanentFailure(f"{parameter.argument} has characters that no header can carry.")
    return text


def _pairs(parameter: Parameter, value: Any) -> list[tuple[str, str]]:
    name = parameter.name
    if parameter.as_json:
        return [(name, json.dumps(value, ensure_ascii=False))]
    if isinstance(value, dict):
        if parameter.style == "deepObject":
            return [(f"{name}[{key}]", _text(one)) for key, one in value.items() if one is not None]
        if parameter.explode:
            return [(key, _text(one)) for key, one in value.items() if one is not None]
        return [(name, ",".join(f"{key},{_text(one)}" for key, one in value.items()))]
    if isinstance(value, list):
        if parameter.explode:
            return [(name, _text(one)) for one in value]
        return [(name, _SEPARATORS.get(parameter.style, ",").join(_text(one) for one in value))]
    return [(name, _text(value))]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return (
        json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else "" if value is None else str(value)
    )


def _body(binding: Binding, arguments: dict[str, Any], headers: dict[str, str]) -> bytes | None:
    if binding.body is None or "body" not in arguments:
        return None
    given = arguments["body"]
    if binding.body == "json":
        headers["content-type"] = "application/json"
        body = json.dumps(given, ensure_ascii=False).encode()
    elif binding.body == "form":
        headers["content-type"] = "application/x-www-form-urlencoded"
        pairs = [
            (name, one) for name, value in given.items() for one in (value if isinstance(value, list) else [value])
        ]
        body = urlencode([(name, _text(one)) for name, one in pairs if one is not None]).encode()
    else:
        headers["content-type"] = "text/plain; charset=utf-8"
        body = _text(given).encode()
    if len(body) > _MAX_BODY:
        raise PermanentFailure(f"The body is larger than {_MAX_BODY} bytes.")
    return body
