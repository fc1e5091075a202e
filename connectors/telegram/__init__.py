"""Telegram: people talk and decide in private chats and groups with a bot (https://core.telegram.org/bots/api)."""
