"""Webex, by its messages API.

In comes a notification, out goes one message in markdown to a room. The bot's
token is the `authorization` of `http_config`.
"""
