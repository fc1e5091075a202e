"""What a workspace has that a policy can name: people, groups, actions, channels, as plain values."""

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

    def requesters(self) -> tuple[KnownPerson, ...]:
        """Give all who may ask for something: viewers may not."""
        return tuple(one for one in (*self.people, *self.programs) if one.role != Role.VIEWER)

    def called(self, name: str) -> KnownPerson | None:
        """Give the person whom a name means."""
        return next((one for one in self.people if one.is_called(name)), None)

    def of(self, party: AskedParty, requester: KnownPerson | None, on_call: frozenset[str]) -> frozenset[str]:
        """Give the persons of a party (by `person_id`). `on_call`: all whom its rotas may name."""
        named = {*party.users, *on_call}
        found = {
            one.person_id
            for one in self.people
            if one.role in party.roles
            or not one.groups.isdisjoint(party.groups)
            or any(one.is_called(name) for name in named)
            or (requester is not None and party.manager and one.id == requester.manager_id)
        }
        if party.requester and requester is not None and requester in self.people:
            found.add(requester.person_id)
        return frozenset(found)
