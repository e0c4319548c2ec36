"""Jira: an issue for each group, opened, brought up to date, closed and opened again.

In comes a notification, out go a search for the issue with the group's label,
the issue itself, and its transition. What is found decides: a message that is
sent twice changes one issue twice.
"""
