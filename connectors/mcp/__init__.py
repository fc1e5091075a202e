"""MCP servers as connectors: what they offer is reviewed, what they say is data, what they ask is asked of people."""
