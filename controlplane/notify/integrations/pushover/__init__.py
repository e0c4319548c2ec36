"""Pushover, by its message API.

In comes a notification, out goes one message to a user's devices. Pushover
knows no incidents: the end is a message of its own, of a lower priority.
"""
