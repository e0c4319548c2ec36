"""Mattermost, by an incoming webhook.

In comes a notification, out goes one message: its text in an attachment, or
over the attachments that the configuration writes.
"""
