"""SQLModel tables, one file per group of nouns."""
