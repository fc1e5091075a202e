"""The stubs that workflows call and the activities that workers run are the same."""

import inspect
from typing import get_type_hints

from temporalio import activity

from connectors.registry import Registry
from core.keys import KeyRing
from core.rooms import LocalRooms
from core.settings import Settings
from core.store.database import Database
from tests.workflows.script import ScriptedModel
from workers.llm.router import Router
from workers.main import build_parts
from workflows import activities

STUBS = {
    definition.name: member
    for _, member in inspect.getmembers(activities, inspect.isfunction)
    if (definition := activity._Definition.from_callable(member)) is not None
}


class TestActivities:
    def test_stubs_and_bodies_have_the_same_names_and_types(
        self, settings: Settings, sqlite_database: Database, ring: KeyRing
    ):
        parts = build_parts(
            settings,
            sqlite_database,
            None,  # type: ignore[arg-type]
            LocalRooms(),
            ring,
            Registry.load([]),
            Router((ScriptedModel(),)),
        )
        bodies = {}
        for part in (getattr(parts, name) for name in parts.__dataclass_fields__):
            for _, member in inspect.getmembers(part, inspect.ismethod):
                definition = activity._Definition.from_callable(member)
                if definition is not None:
                    bodies[definition.name] = member

        assert {name: get_type_hints(stub) for name, stub in STUBS.items()} == {
            name: get_type_hints(body) for name, body in bodies.items()
        }
        assert len(STUBS) >= 9
