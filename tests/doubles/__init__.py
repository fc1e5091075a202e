"""Servers that stand in for others' in tests."""
