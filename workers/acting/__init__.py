"""The gate: the only way from a tool call to a connector's execute."""
