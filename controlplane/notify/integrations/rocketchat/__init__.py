"""Rocket.Chat, by the method `chat.postMessage` of its REST API.

In comes a notification, out goes one message with one attachment. A refusal may
come with status 200.
"""
