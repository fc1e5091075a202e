"""Channels as doors: what they tell is verified, kept, and then answered in order."""
