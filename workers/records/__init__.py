"""Relay, reaper and the archive of histories."""
