"""The REST doors, one file per noun."""
