"""The plain page at /."""
