"""The model port, OpenAI-compatible models and the offline assistant."""
