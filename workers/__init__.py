"""Processes that touch the outside world: models, connectors, records."""
