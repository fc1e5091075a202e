"""What goes out to channels and to programs: claimed, carried, retried, edited."""
