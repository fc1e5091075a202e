"""Connectors of installed packages: only those that were named, and held to the contract."""

import importlib
import sys
from pathlib import Path

import pytest

from connectors.guarded import AddressRefused
from connectors.manifest import BadManifest
from connectors.reach import Reach
from connectors.registry import Registry, native_connectors
from core.permissions import Role
from core.values import CallVerdict

CODE = """
from connectors.base import Preview
from connectors.manifest import ConnectorManifest

ACTION = {{
    "name": "say", "version": 1, "title": "Say", "description": "Says something.", "risk": "write",
    "effect": "at_most_once", "examples": ["say {{text}}"], "timeout_s": 5, "max_concurrency": 1,
    "schema": {{"type": "object", "additionalProperties": False, "required": ["text"],
               "properties": {{"text": {{"type": "string", "description": "What."}}}}}},
    **{more},
}}


class Weather:
    manifest = ConnectorManifest(
        id="{id}", version="1.0.0", title="Weather", description="Weather.", origin="{origin}", actions=[ACTION])

    def __init__(self, open_client):
        self.open_client = open_client

    async def preview(self, action, arguments, context):
        return Preview(summary="Say " + arguments["text"])

    {kind} execute(self, action, arguments, context):
        return {{"said": arguments["text"]}}


def broken(open_client):
    raise RuntimeError("s3cret")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package with a connector, as pip would leave it."""

    def installed(name="assent-weather", *, point="build", origin="plugin", **more) -> Path:
        module = f"weather_{len(list(tmp_path.iterdir()))}"
        kind = "def" if more.pop("is_sync", False) else "async def"
        code = CODE.format(origin=origin, kind=kind, id=more.pop("id", "weather"), more=more)
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{name.replace('-', '_')}-1.2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.0\n")
        target = "broken" if point == "broken" else "Weather"
        (info / "entry_points.txt").write_text(f"[assent.connectors]\nweather = {module}:{target}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, module, raising=False)
        return tmp_path

    return installed


@pytest.fixture
def load(database, tmp_path):
    def registry_with(*named: str) -> Registry:
        return Registry.load(native_connectors(database, tmp_path / "files", Reach(plugins=named)))

    return registry_with


class TestPlugins:
    @pytest.mark.parametrize("name", ["assent-weather", "Assent_Weather", "assent-weather==1.2.0"])
    async def test_one_that_was_named_is_there_and_asks(self, install, load, context, name):
        install()
        action = load(name).action("weather.say")

        assert action.ruling(Role.OWNER).verdict is CallVerdict.ASK
        assert action.is_untrusted
        assert await action.connector.execute("say", action.check({"text": "rain"}), context()) == {"said": "rain"}

    def test_one_that_was_not_named_is_not_even_loaded(self, install, load):
        install(point="broken")

        assert "weather" not in {one.id for one in load().manifests()}

    async def test_its_client_goes_the_guarded_way(self, install, load, hostile):
        install()
        connector = load("assent-weather").action("weather.say").connector
        async with connector.open_client() as client:
            with pytest.raises(AddressRefused):
                await client.get(hostile.url())

    @pytest.mark.parametrize(
        ("more", "word"),
        [
            ({"origin": "native"}, "origin"),
            ({"id": "files"}, "another connector called files"),
            ({"id": "email"}, "another connector called email"),
            ({"point": "broken"}, "RuntimeError"),
            ({"is_sync": True}, "no async method execute"),
            ({"allow_reason": "harmless"}, "without asking"),
            ({"untrusted": False}, "trusted"),
            ({"risk": "gentle"}, "cannot be loaded"),
        ],
    )
    def test_one_that_breaks_the_contract_stops_the_start_in_words(self, install, load, more, word):
        install(**more)

        with pytest.raises(BadManifest, match=word) as caught:
            load("assent-weather")
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize("name", ["assent-nothing", "assent-weather==9.9.9"])
    def test_what_is_not_installed_is_said(self, install, load, name):
        install()

        with pytest.raises(BadManifest, match="installed"):
            load(name)

    def test_two_of_one_name_do_not_go_together(self, install, load):
        install()
        install("assent-other")

        with pytest.raises(BadManifest, match="another connector called weather"):
            load("assent-weather", "assent-other")
