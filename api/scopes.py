"""What a program's token may do: the one place that says which scope each request and each socket event needs."""

from core.errors import NotAllowed, NotFound
from core.permissions import Principal, Scope
from core.store.asks import ORIGIN
from core.views import ApprovalView

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NEVER = frozenset({"auth", "setup", "tokens", "tickets", "password", "delegations", "identities", "services"})
_CHAT = frozenset({"conversations", "messages", "turns", "branches", "threads", "documents", "facts", "tasks"})
_DECIDE = frozenset({"approvals", "grants", "tool-calls", "unified-chat"})
_ASK = frozenset({"withdraw", "consume", "outcome"})
_CALLBACKS = ["webhooks", "callback-secret"]
_OF_NOUN = 3  # parts of a path that names a noun and nothing in it
_EVENTS = {
    "message.send": Scope.CHAT,
    "message.edit": Scope.CHAT,
    "turn.stop": Scope.CHAT,
    "turn.regenerate": Scope.CHAT,
    "conversation.stop": Scope.CHAT,
    "turn.retry": Scope.CHAT,
    "typing": Scope.CHAT,
    "read": Scope.CHAT,
    "decision.submit": Scope.DECIDE,
    "conversation.join": Scope.READ,
    "conversation.leave": Scope.READ,
    "conversation.resume": Scope.READ,
    "inbox.resume": Scope.READ,
}


def check_request(who: Principal, method: str, path: str) -> None:
    """Raise NotAllowed when a program's token may not send this. What is not named here needs `admin`."""
    if who.is_program and not (_is_one_approval(method, path) and who.may(Scope.ASK)):
        who.must_have(_needed(method, path))


def check_event(who: Principal, name: str) -> None:
    """Raise NotAllowed when a program's token may not send this socket event. What is not named needs `admin`."""
    who.must_have(_EVENTS.get(name, Scope.ADMIN))


def check_asked(who: Principal, view: ApprovalView) -> None:
    """Raise NotFound when a token that may not read did not ask for this: from outside, or by chat where it may."""
    is_its_own = view.requester_id == who.user_id and (view.origin == ORIGIN or who.may(Scope.CHAT))
    if not who.may(Scope.READ) and not is_its_own:
        message = "There is no such approval."
        raise NotFound(message)


def _is_one_approval(method: str, path: str) -> bool:
    """Whether it looks at one approval, and at nothing in it: see `check_asked`."""
    parts = [part for part in path.split("/") if part]
    return method in _SAFE and parts[:-1] == ["api", "v1", "approvals"] and parts[-1].startswith("apr_")


def _needed(method: str, path: str) -> Scope:
    if method in _SAFE:
        return Scope.READ
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["v1"]:
        return Scope.CHAT
    noun = parts[2] if len(parts) > 2 and parts[:2] == ["api", "v1"] else ""  # noqa: PLR2004
    if noun in _NEVER or "password" in parts:
        message = "A program's token cannot do this: sign in yourself."
        raise NotAllowed(message)
    if noun == "approvals" and (len(parts) == _OF_NOUN or parts[-1] in _ASK):
        return Scope.ASK
    if parts[2:] == _CALLBACKS:
        return Scope.ASK
    if noun in _DECIDE:
        return Scope.DECIDE
    return Scope.CHAT if noun in _CHAT else Scope.ADMIN
