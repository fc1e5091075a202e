"""Models: the port that thinking speaks to, any OpenAI-compatible endpoint behind it, and the offline assistant."""
