"""Discord, by the webhook of a channel.

In comes a notification, out goes one message with one embed. Discord knows no
incidents: each notification is a message of its own.
"""
