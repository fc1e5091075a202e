"""Providers, one file each: `connect(entry, timeouts)` makes the way to a model. Each imports its own library only."""
