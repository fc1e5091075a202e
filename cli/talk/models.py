"""The models on the command line."""

from urllib.parse import quote

from cli.talk.ending import FAILED
from cli.talk.screen import Screen, one_line
from cli.talk.server import Server
from core.messages import ModelChecked
from core.views import ModelView


async def list_models(server: Server, screen: Screen) -> None:
    """Show all models in their order."""
    page = await server.get("/models")
    if screen.json:
        screen.data(page)
        return
    views = [ModelView.model_validate(item) for item in page["items"]]
    rows = [(one_line(one.name), one.provider, one.tier, _price(one), _state(one)) for one in views]
    screen.table(("NAME", "PROVIDER", "TIER", "USD IN/OUT A MILLION", "STATE"), rows)


async def check_models(server: Server, screen: Screen, name: str | None) -> int:
    """Check one model, or each; any that does not answer is exit code 1."""
    names = [name] if name is not None else [item["name"] for item in (await server.get("/models"))["items"]]
    found = [
        ModelChecked.model_validate(await server.post(f"/models/{quote(one, safe='')}/check", {})) for one in names
    ]
    if screen.json:
        screen.data([one.model_dump(mode="json") for one in found])
    else:
        for one in found:
            took = "" if one.took_ms is None else f" ({one.took_ms} ms)"
            screen.show(f"{one_line(one.name)}: {'ok' if one.ok else one.code}. {one_line(one.sentence)}{took}")
    return 0 if all(one.ok for one in found) else FAILED


def _price(view: ModelView) -> str:
    if not view.price_known:
        return "unknown"
    return f"{view.input_price:g} / {view.output_price:g}"


def _state(view: ModelView) -> str:
    if not view.allowed:
        return "not for you"
    if view.health is None:
        return "not checked"
    return "well" if view.health.ok else view.health.code
