"""Assent as an MCP server: consent, questions to people, and connectors' actions, for any MCP client."""
