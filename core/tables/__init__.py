"""SQLModel tables, one file per group of nouns."""

from core.tables import connect, consent, cost, doors, identity, memory, people, records, talk, tasks, work

__all__ = ["connect", "consent", "cost", "doors", "identity", "memory", "people", "records", "talk", "tasks", "work"]
