"""Opens and closes requests for consent."""
