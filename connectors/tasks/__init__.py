"""A person's own to-do list."""
