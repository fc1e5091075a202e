"""Manifests are read strictly, and say what is wrong with them."""

import pytest

from connectors.manifest import BadManifest, parse_manifest

GOOD = """
id = "mill"
version = "1.2.3"
title = "Mill"
description = "Grinds."

[[actions]]
name = "grind"
version = 1
title = "Grind"
description = "Grinds something."
risk = "write"
effect = "idempotent"
allow_reason = "harmless: it only makes flour"
timeout_s = 5
max_concurrency = 1
examples = ["grind {what}"]

[actions.schema]
type = "object"
additionalProperties = false
required = ["what"]

[actions.schema.properties.what]
type = "string"
description = "What to grind."

[actions.schema.properties.pin]
type = "string"
description = "The mill's code."
x-secret = true
"""

BROKEN = {
    "not TOML": (GOOD.replace("[[actions]]", "[[actions"), "not TOML"),
    "unknown key": (GOOD.replace('title = "Mill"', 'title = "Mill"\ncolour = "red"'), "colour"),
    "unknown key of an action": (GOOD.replace("timeout_s = 5", "timeout_s = 5\nretries = 3"), "retries"),
    "dotted action": (GOOD.replace('name = "grind"', 'name = "grind.fine"'), "actions.0.name"),
    "dotted connector": (GOOD.replace('id = "mill"', 'id = "mill.two"'), "id"),
    "upper case": (GOOD.replace('name = "grind"', 'name = "Grind"'), "actions.0.name"),
    "two underscores": (GOOD.replace('name = "grind"', 'name = "grind__fine"'), "actions.0.name"),
    "overlong name": (GOOD.replace('name = "grind"', f'name = "{"g" * 39}"'), "38"),
    "overlong id": (GOOD.replace('id = "mill"', f'id = "{"m" * 25}"'), "24"),
    "missing risk": (GOOD.replace('risk = "write"\n', ""), "actions.0.risk"),
    "unknown risk": (GOOD.replace('risk = "write"', 'risk = "harmless"'), "actions.0.risk"),
    "missing effect": (GOOD.replace('effect = "idempotent"\n', ""), "actions.0.effect"),
    "reason for destruction": (GOOD.replace('risk = "write"', 'risk = "destructive"'), "allow_reason is only"),
    "blank reason": (GOOD.replace("harmless: it only makes flour", " "), "allow_reason"),
    "write with effect read": (GOOD.replace('effect = "idempotent"', 'effect = "read"'), "belong together"),
    "read with an effect": (
        GOOD.replace('risk = "write"', 'risk = "read"').replace('allow_reason = "harmless: it only makes flour"\n', ""),
        "belong together",
    ),
    "no actions": (GOOD.partition("[[actions]]")[0], "actions"),
    "no JSON Schema": (
        GOOD.replace('type = "string"\ndescription = "What', 'type = "word"\ndescription = "What'),
        "not a JSON",
    ),
    "open schema": (
        GOOD.replace("additionalProperties = false", "additionalProperties = true"),
        "additionalProperties",
    ),
    "reference elsewhere": (
        GOOD.replace('type = "string"\ndescription = "What', '"$ref" = "file:///x"\ndescription = "What'),
        "$ref",
    ),
    "argument without words": (GOOD.replace('description = "What to grind."\n', ""), "needs a description"),
    "example of nothing": (GOOD.replace("grind {what}", "grind {corn}"), "{corn}"),
    "no example": (GOOD.replace('examples = ["grind {what}"]', "examples = []"), "examples"),
    "bad x-resolve": (GOOD.replace("x-secret = true", 'x-resolve = { action = "mill.list" }'), "x-resolve"),
    "wrong version": (GOOD.replace('version = "1.2.3"', 'version = "1.2"'), "version"),
    "no time": (GOOD.replace("timeout_s = 5", "timeout_s = 0"), "timeout_s"),
    "NUL": (GOOD.replace("Grinds something.", "Grinds\\u0000."), "NUL"),
    "same name twice": (GOOD + GOOD[GOOD.index("[[actions]]") :], "same name: grind"),
}


class TestManifest:
    def test_a_good_one_is_read(self):
        manifest = parse_manifest(GOOD, "mill/manifest.toml")

        action = manifest.action("grind")
        assert (manifest.id, manifest.origin, action.risk, action.effect) == ("mill", "native", "write", "idempotent")
        assert action.secrets == [["pin"]]

    def test_it_cannot_be_changed(self):
        manifest = parse_manifest(GOOD, "mill/manifest.toml")

        with pytest.raises(ValueError, match="frozen"):
            manifest.title = "Other"  # type: ignore[misc]

    @pytest.mark.parametrize("case", BROKEN)
    def test_a_broken_one_says_where_and_why(self, case):
        text, why = BROKEN[case]

        with pytest.raises(BadManifest) as caught:
            parse_manifest(text, "mill/manifest.toml")

        assert why in caught.value.detail
        assert caught.value.detail.startswith("mill/manifest.toml")
