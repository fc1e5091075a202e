"""Reading uploaded documents: their text, taken out in a child process with limits, in pieces."""
