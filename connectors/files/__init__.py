"""Text files in one folder of the workspace."""
