"""A policy as text: YAML in, checked for what YAML can hide, and YAML out. Nothing in it is ever run."""

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from core.errors import Invalid
from core.policy.document import PolicyDocument
from core.text import check_text

MOST_BYTES = 65_536
MOST_DEPTH = 16
MOST_NODES = 20_000
_MOST_TOLD = 20


class BadPolicy(Invalid):
    """This is no policy; `problems` says what is wrong, each with its place."""

    code, title = "bad_policy", "Not a policy"


def read_yaml(text: str) -> PolicyDocument:
    """Read a policy from YAML; raises BadPolicy."""
    if len(text.encode(errors="replace")) > MOST_BYTES:
        message = f"A policy has at most {MOST_BYTES} bytes."
        raise BadPolicy(message)
    try:
        _check_events(check_text(text))
        _check_keys(yaml.compose(text, Loader=yaml.SafeLoader))
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        message = f"This is no YAML that a policy is written in: {_words(error)}."
        raise BadPolicy(message) from error
    return read_data({} if data is None else data)


def read_data(data: Any) -> PolicyDocument:
    """Read a policy from JSON values; raises BadPolicy, naming each place that is wrong."""
    try:
        return PolicyDocument.model_validate(data)
    except ValidationError as error:
        found = [
            {"where": _place(one["loc"], data), "message": one["msg"].removeprefix("Value error, ")}
            for one in error.errors(include_input=False, include_url=False, include_context=False)[:_MOST_TOLD]
        ]
        first = f"{found[0]['where']}: {found[0]['message']}" if found[0]["where"] else found[0]["message"]
        more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
        message = f"This is no policy. {first}{more}."
        raise BadPolicy(message, problems=found) from None


def write_yaml(document: PolicyDocument) -> str:
    """Write a policy as YAML that reads back as the same."""
    return yaml.safe_dump(document.body(), sort_keys=False, allow_unicode=True, width=100)


def _check_events(text: str) -> None:
    """Refuse what grows, nests or hides: aliases, anchors, tags, depth, several documents."""
    depth = nodes = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
            message = "anchors, aliases and tags are not taken"
            raise ValueError(message)
        if depth > MOST_DEPTH or nodes > MOST_NODES or documents > 1:
            message = "it is nested too deep, too large, or several documents"
            raise ValueError(message)


def _check_keys(node: yaml.Node | None) -> None:
    """Refuse a key that is there twice: the last one would win unseen; and merged keys."""
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = [name for name in names if names.count(name) > 1]
        if twice or "<<" in names or len(names) < len(node.value):
            message = f"the key `{twice[0]}` is there twice" if twice else "keys are plain words"
            raise ValueError(message)
        for _, value in node.value:
            _check_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(value)


def _words(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return str(error) or "it cannot be read"


def _place(steps: tuple[str | int, ...], data: Any) -> str:
    """Write a place as people find it: `rule "small refunds": ask.expires`."""
    names = [str(one) for one in steps if one != "__root__"]
    if len(steps) > 1 and steps[0] == "rules" and isinstance(steps[1], int):
        return f"rule {_name_of(data, steps[1])}: {'.'.join(names[2:])}".rstrip(": ")
    return ".".join(names)


def _name_of(data: Any, number: int) -> str:
    try:
        rule = data["rules"][number]
    except (KeyError, IndexError, TypeError):
        return str(number + 1)
    name = rule.get("name") if isinstance(rule, Mapping) else None
    return f"{number + 1} ({name})" if isinstance(name, str) else str(number + 1)
