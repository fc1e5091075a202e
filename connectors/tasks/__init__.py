"""A to-do list kept in the workspace's own SQL."""
