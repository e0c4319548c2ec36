"""Slack, by an incoming webhook or as a bot.

In comes a notification. A webhook posts a message each time; a bot with
`update_message` keeps one message a group up to date, and the history in its
thread. `external` holds the channel and the time stamp of that message.
"""
