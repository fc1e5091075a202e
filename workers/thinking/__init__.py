"""One round of a turn: context, model, the round's one commit."""
