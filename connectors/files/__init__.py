"""Files inside one folder of the workspace."""
