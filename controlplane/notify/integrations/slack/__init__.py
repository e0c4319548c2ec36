"""Slack, by an incoming webhook or as a bot.

In comes a notification. A webhook posts a message each time; a bot may keep
one message a group up to date, with buttons, and the history in its thread.
`external` holds the place of that message. Clicks come back as signed requests
and become silences, through a port: it knows nothing of those who keep them.
"""
