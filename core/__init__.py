"""The words all others use."""
