"""What a workspace has that a policy can name: people, groups, actions, channels, as plain values."""

from functools import cached_property

from core.permissions import Role
from core.policy.ruling import AskedParty
from core.values import Value


class KnownPerson(Value):
    """Somebody who is here and not disabled. `person_id` is the same for all accounts of one person."""

    id: str
    email: str
    name: str
    role: str
    person_id: str
    manager_id: str | None = None
    groups: frozenset[str] = frozenset()

    def is_called(self, name: str) -> bool:
        """Whether a policy means this person by a name: an id, or an e-mail address."""
        return name == self.id or name.lower() == self.email


class KnownAction(Value):
    """An action of a connector; `arguments` are the names of what it takes, None: anything."""

    name: str
    risk: str
    effect: str
    arguments: frozenset[str] | None = None


class Known(Value):
    """All of it. `people` are persons only; programs decide nothing. `groups` by name."""

    people: tuple[KnownPerson, ...] = ()
    programs: tuple[KnownPerson, ...] = ()
    groups: frozenset[str] = frozenset()
    actions: tuple[KnownAction, ...] = ()
    channels: frozenset[str] = frozenset()

    @property
    def connectors(self) -> frozenset[str]:
        """The connectors' ids."""
        return frozenset(one.name.partition(".")[0] for one in self.actions)

    @cached_property
    def requesters(self) -> tuple[KnownPerson, ...]:
        """All who may ask for something: viewers may not."""
        return tuple(one for one in (*self.people, *self.programs) if one.role != Role.VIEWER)

    @cached_property
    def _by_name(self) -> dict[str, KnownPerson]:
        return {name: one for one in self.people for name in (one.id, one.email)}

    @cached_property
    def _by_way(self) -> dict[tuple[str, str], set[str]]:
        found: dict[tuple[str, str], set[str]] = {}
        for one in self.people:
            for way in (("role", one.role), *(("group", group) for group in one.groups)):
                found.setdefault(way, set()).add(one.person_id)
        return found

    @cached_property
    def managers(self) -> frozenset[str]:
        """The persons whom somebody reports to (by `person_id`)."""
        named = {one.manager_id for one in self.requesters}
        return frozenset(one.person_id for one in self.people if one.id in named)

    def called(self, name: str) -> KnownPerson | None:
        """Give the person whom a name means: an id, or an e-mail address."""
        return self._by_name.get(name) or self._by_name.get(name.lower())

    def of(self, party: AskedParty, on_call: frozenset[str]) -> frozenset[str]:
        """Give the persons of a party (by `person_id`), whoever asks. `on_call`: all whom its rotas may name."""
        named = {found.person_id for name in (*party.users, *on_call) if (found := self.called(name))}
        ways = [("role", role) for role in party.roles] + [("group", group) for group in party.groups]
        return frozenset(named).union(*(self._by_way.get(way, frozenset()) for way in ways))

    def of_requester(self, party: AskedParty, requester: KnownPerson) -> frozenset[str]:
        """Give the persons who are of a party only because this one asks: themselves, their manager."""
        names = [requester.id] if party.requester else []
        if party.manager and requester.manager_id is not None:
            names.append(requester.manager_id)
        return frozenset(found.person_id for name in names if (found := self.called(name)))
