"""The built-in offline assistant: no language model, no network, nothing invented."""
