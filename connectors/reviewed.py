"""An imported connector as it may be used: only what was enabled, with the risks that people said."""

from typing import Any

from pydantic import ValidationError

from connectors.manifest import ActionSpec, BadManifest, ConnectorManifest, Effect, Risk
from core.tables.connect import Imported
from core.views.imported import ImportedActionView, ImportedShown, ImportedView, LeftOutView


def reviewed_manifest(row: Imported) -> ConnectorManifest:
    """Give the manifest of what may be used, pinned to what was reviewed; raises BadManifest.

    The pin voids consent and grants as soon as anything else would run under the same name.
    """
    enabled = set(row.enabled)
    actions = [_as_said(row, one) for one in row.manifest["actions"] if one["name"] in enabled]
    pin = f"{row.id} {row.digest}"
    try:
        return ConnectorManifest.model_validate(
            {**row.manifest, "id": row.name, "origin": row.kind, "pin": pin, "actions": actions}
        )
    except ValidationError as error:
        raise BadManifest(f"{row.name}: what was kept of it is no manifest") from error


def _as_said(row: Imported, action: dict[str, Any]) -> dict[str, Any]:
    risk = row.risks.get(action["name"], action["risk"])
    return {
        **action,
        "risk": risk,
        "effect": _effect(row, action["name"], risk, action["effect"]),
        "allow_reason": None,
    }


def _effect(row: Imported, name: str, risk: str, effect: str) -> str:
    """Give an action's effect; what an MCP server says of it counts only where a person said something too."""
    vouched = row.kind != "mcp" or name in row.risks
    return effect_of(risk, effect if vouched else Effect.AT_MOST_ONCE)


def effect_of(risk: str, effect: str) -> str:
    """Give the effect that goes with a risk: what reads has none, and what was taken for reading may do harm."""
    if risk == Risk.READ:
        return Effect.READ.value
    return Effect.AT_MOST_ONCE.value if effect == Effect.READ else str(effect)


def shown(row: Imported, view: ImportedView) -> ImportedShown:
    """Give all that somebody needs who reviews it."""
    source = row.source
    said = {"address", "warnings", "left_out", "changes", "document", "bindings", "servers"}
    return ImportedShown(
        **view.model_dump(),
        description=row.manifest["description"],
        options={name: value for name, value in source.items() if name not in said and _is_small(value)},
        items=tuple(_action(row, ActionSpec.model_validate(one)) for one in row.manifest["actions"]),
        left_out=tuple(LeftOutView(**one) for one in source.get("left_out", [])),
        warnings=tuple(source.get("warnings", [])),
        changes=tuple(source.get("changes", [])),
    )


def _is_small(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _action(row: Imported, spec: ActionSpec) -> ImportedActionView:
    risk = row.risks.get(spec.name, spec.risk.value)
    return ImportedActionView(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        risk=risk,
        effect=_effect(row, spec.name, risk, spec.effect.value),
        risk_found=spec.risk.value,
        enabled=spec.name in row.enabled,
        schema_=spec.schema_,
    )
