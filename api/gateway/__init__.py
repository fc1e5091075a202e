"""The Socket.IO gateway: safe server, rooms, handlers."""
