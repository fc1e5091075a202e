"""What hand-written migrations draw that no model describes: comparing the schema with the models leaves it out."""

WORDS_TABLE = "message_words"
NUMBERS_TABLE = "message_numbers"
WORDS_INDEX = "ix_messages_words"
_SHADOWS = ("", "_data", "_idx", "_docsize", "_config")
TABLES = frozenset({NUMBERS_TABLE, *(f"{WORDS_TABLE}{end}" for end in _SHADOWS)})
INDEXES = frozenset({WORDS_INDEX})


def is_modelled(name: str | None, kind: str, _parents: object = None) -> bool:
    """Tell Alembic (as its `include_name`) whether a table or an index is of the models."""
    return not ((kind == "table" and name in TABLES) or (kind == "index" and name in INDEXES))
