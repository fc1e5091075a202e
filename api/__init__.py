"""The doors: REST, Socket.IO and the plain page."""
