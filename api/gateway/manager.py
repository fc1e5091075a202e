"""Who is connected, for python-socketio: forgets a socket at a cost that does not grow with the number of sockets."""

from typing import Any

from socketio import AsyncManager


class LeanManager(AsyncManager):
    """Has no rooms but that of all sockets and that of each; the library looks through every room at a disconnect."""

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        """Forget one socket."""
        for room in (sid, None):
            self.basic_leave_room(sid, namespace, room)
        self.callbacks.pop(sid, None)
        for waiting in (self.pending_connect, self.pending_disconnect):
            if sid in waiting.get(namespace, ()):
                waiting[namespace].remove(sid)
                if not waiting[namespace]:
                    del waiting[namespace]
