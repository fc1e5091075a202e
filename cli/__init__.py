"""The command line: `assent up`, and a client of a running server."""
