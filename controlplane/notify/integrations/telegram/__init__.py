"""Telegram, by its Bot API.

In comes a notification, out goes one message to a chat. The bot's token stands
in every URL: none is ever shown.
"""
