"""New names for the things of a file: ids of our own, and whoever imports for whoever owned it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import Invalid
from core.exports import ConversationFile
from core.ids import derived_id
from core.store.messages import reply_id
from core.values import Value

_REFERENCES = (
    "id", "turn_id", "message_id", "branch_id", "parent_id", "thread_id", "retry_of", "reply_to_id", "edit_of_id",
    "replaces_turn_id", "tool_call_id", "active_branch_id",
)  # fmt: skip


class Ids:
    """New ids for those of a file; a reference to what is not in it is refused."""

    def __init__(self, file: ConversationFile, conversation_id: str) -> None:
        known = [file.conversation.id, *(one.id for noun in self._nouns(file).values() for one in noun)]
        if len(set(known)) != len(known):
            message = "The file names two things alike."
            raise Invalid(message)
        self._new = {file.conversation.id: conversation_id}
        for prefix, noun in self._nouns(file).items():
            self._new |= {one.id: derived_id(prefix, conversation_id, one.id) for one in noun}
        for one in file.messages:
            if one.role == "assistant" and one.turn_id in self._new:
                self._new[one.id] = reply_id(self._new[one.turn_id])
        _check_order(file)

    @staticmethod
    def _nouns(file: ConversationFile) -> dict[str, Sequence[Any]]:
        return {
            "brn": file.branches,
            "trn": file.turns,
            "msg": file.messages,
            "cal": file.calls,
            "apr": file.approvals,
            "fct": file.facts,
            "doc": file.documents,
        }

    def of(self, record: Value, **instead: Any) -> dict[str, Any]:
        """Give a record's members with the new ids."""
        known = record.model_dump()
        for name in _REFERENCES:
            if known.get(name) is not None:
                known[name] = self._of(name, known[name])
        return {**known, **instead}

    def _of(self, name: str, old: str) -> str:
        new = self._new.get(old)
        if new is None:
            message = f"The file is not whole: {name} names what is not in it."
            raise Invalid(message)
        return new

    def __getitem__(self, old: str) -> str:
        return self._of("id", old)


def _check_order(file: ConversationFile) -> None:
    """Raise Invalid where no conversation can be so: versions in a circle would be followed for ever."""
    positions = [one.position for one in file.messages]
    places = [one.place for one in file.turns]
    rounds = [(one.turn_id, one.round, one.place) for one in file.calls]
    replies = [one.turn_id for one in file.messages if one.role == "assistant"]
    for numbers in (positions, places, rounds, replies):
        if len(set(numbers)) != len(numbers):
            message = "The file puts two things into one place."
            raise Invalid(message)
    begun = {one.id: one.begun_at for one in file.branches}
    if any(begun.get(one.parent_id or "", 0) >= one.begun_at for one in file.branches):
        message = "The file has a version that began before the one that it was made of."
        raise Invalid(message)


@dataclass
class By:
    """Who did what: the owner's is whoever imports; of all others only the name is kept, under the new id."""

    owner: str
    names: Mapping[str, str]
    ids: Ids
    others: dict[str, str] = field(default_factory=dict)

    def importer(self, key: str | None, old_id: str) -> bool:
        """Tell whether it stands for whoever imports; notes the name of anybody else."""
        if key is None or key == self.owner:
            return key is not None
        if key not in self.names:
            message = "The file is not whole: it names a person who is not in it."
            raise Invalid(message)
        self.others[self.ids[old_id]] = self.names[key]
        return False
