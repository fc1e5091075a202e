"""Packets: what a client may send in one, and how an event is framed once for many readers."""

import json
from typing import Any

from engineio import packet as engine_packet
from socketio import packet as socket_packet

from api.gateway.errors import ProtocolError

MAX_DEPTH = 16
_CONTROL = frozenset({"1", "2probe", "3", "3probe", "5", "6"})
_KINDS = frozenset("0123456")


def check_frame(frame: object, limit: int) -> str:
    """Return the Engine.IO frame when its outer form is right (text, `limit` bytes at most); else raise ProtocolError.

    The library decodes JSON in any frame, outside of any `try`; only these forms get that far.
    """
    if not isinstance(frame, str):
        raise ProtocolError("binary frame")
    if len(frame) > limit or (len(frame) * 4 > limit and len(frame.encode(errors="replace")) > limit):
        raise ProtocolError("frame too large")
    if frame in _CONTROL or (frame[:1] == "4" and frame[1:2] in _KINDS and len(frame) > 1):
        return frame
    raise ProtocolError("bad frame")


def _check_depth(value: object, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise ProtocolError("nested too deep")
    if isinstance(value, dict):
        for item in value.values():
            _check_depth(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_depth(item, depth + 1)


class StrictPacket(socket_packet.Packet):
    """A Socket.IO packet that refuses attachments, binary kinds and deep nesting; raises ProtocolError."""

    uses_binary_events = False

    def decode(self, encoded_packet: str) -> int:
        """Decode the text of a packet."""
        try:
            attachments = super().decode(encoded_packet)
        except (ValueError, RecursionError, TypeError) as error:
            raise ProtocolError("bad packet") from error
        if attachments or self.packet_type in {socket_packet.BINARY_EVENT, socket_packet.BINARY_ACK}:
            raise ProtocolError("attachments")
        _check_depth(self.data)
        return 0


def frame(name: str, payload: dict[str, Any]) -> engine_packet.Packet:
    """Frame one event for any number of readers: the text is encoded once."""
    text = json.dumps([name, payload], ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate would end the reader's connection
        text = json.dumps([name, payload], separators=(",", ":"))
    return engine_packet.Packet(engine_packet.MESSAGE, data=f"{socket_packet.EVENT}{text}")
