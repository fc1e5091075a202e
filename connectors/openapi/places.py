"""Where the calls of a document go, and what they sign in with, as it says itself."""

import re
from typing import Any
from urllib.parse import urljoin

import httpx

from connectors.base import PermanentFailure
from connectors.fetching import parse_url
from connectors.openapi.references import References, Unusable
from connectors.openapi.words import said
from core.errors import Invalid
from core.values import Value

_VARIABLE = re.compile(r"\{([^{}]{1,60})\}")
_NEEDED = "say with `base_url` where calls go to, as https://api.example.com/v1."


class Key(Value):
    """A way to sign in that a document names; `kind` is of a credential here, or the document's own word."""

    kind: str
    place: str = "header"
    name: str = ""
    advice: str = ""


def base_of(document: dict[str, Any], read_from: str | None, given: str | None) -> str:
    """Give the address that every call begins with, without a slash at its end; raises Invalid."""
    text = given or _server(document, read_from)
    try:
        url = parse_url(text)
    except PermanentFailure as error:
        raise Invalid(f"{said(text, 100)}: {error.detail} Or {_NEEDED}") from None
    if url.query or url.fragment:
        message = "The address that calls go to must not have a query or a fragment."
        raise Invalid(message)
    path = url.path.rstrip("/")
    if any(part in {".", ".."} for part in path.split("/")):
        message = "The address that calls go to must not have a step upwards in it."
        raise Invalid(message)
    return str(httpx.URL(scheme=url.scheme, host=url.host, port=url.port, path=path)).rstrip("/")


def _server(document: dict[str, Any], read_from: str | None) -> str:
    if "swagger" in document:
        return _swagger_server(document, read_from)
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {"url": "/"}
    text = str(first.get("url", "/"))
    variables = first.get("variables")
    for name in _VARIABLE.findall(text):
        variable = variables.get(name) if isinstance(variables, dict) else None
        default = variable.get("default") if isinstance(variable, dict) else None
        if not isinstance(default, str | int) or isinstance(default, bool):
            raise Invalid(f"The address of the service has a part that the document leaves open: {_NEEDED}")
        text = text.replace(f"{{{name}}}", str(default))
    return _absolute(text, read_from)


def _swagger_server(document: dict[str, Any], read_from: str | None) -> str:
    schemes = document.get("schemes")
    known = [one for one in schemes if one in {"https", "http"}] if isinstance(schemes, list) else []
    scheme = "https" if "https" in known or not known else "http"
    path = str(document.get("basePath") or "")
    if not document.get("host"):
        return _absolute(path or "/", read_from)
    return f"{scheme}://{document['host']}{path}"


def _absolute(text: str, read_from: str | None) -> str:
    if text.startswith(("http://", "https://")):
        return text
    if read_from is None:
        raise Invalid(f"The document does not say where its service is: {_NEEDED}")
    try:
        return urljoin(read_from, text)
    except ValueError:
        raise Invalid(f"The document's address of its service is none: {_NEEDED}") from None


def keys_of(document: dict[str, Any], references: References) -> list[Key]:
    """Give the ways to sign in that the document names, with a sentence about each."""
    components = document.get("components")
    given = components.get("securitySchemes") if isinstance(components, dict) else None
    given = document.get("securityDefinitions") if given is None else given
    found: list[Key] = []
    for scheme in list(given.values() if isinstance(given, dict) else ())[:20]:
        try:
            key = _key(references.follow(scheme))
        except Unusable:
            continue
        if key not in found:
            found.append(key)
    return found


def _key(scheme: dict[str, Any]) -> Key:
    kind, way = str(scheme.get("type", "")), str(scheme.get("scheme", "")).lower()
    if kind == "apiKey":
        name, place = said(scheme.get("name"), 100), said(scheme.get("in"), 20)
        if place not in {"header", "query"}:
            return Key(kind="cookie", advice="It takes a key in a cookie, which cannot be given here.")
        advice = f"It takes a key in the {place} {name}: set a credential of kind api_key."
        return Key(kind="api_key", place=place, name=name, advice=advice)
    if kind == "basic" or (kind == "http" and way == "basic"):
        return Key(kind="basic", advice="It takes a user name and a password: set a credential of kind basic.")
    if kind == "http" and way == "bearer":
        return Key(kind="bearer", advice="It takes a bearer token: set a credential of kind bearer.")
    if kind in {"oauth2", "openIdConnect"}:
        advice = (
            "It signs in by OAuth, which is not done here: bring a bearer token, and a new one when it has expired."
        )
        return Key(kind="oauth2", advice=advice)
    return Key(
        kind="other", advice=f"It signs in by {said(kind or way, 40) or 'something'}, which cannot be done here."
    )
