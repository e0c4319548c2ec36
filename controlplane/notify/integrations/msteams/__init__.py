"""Microsoft Teams, by the connectors of Office 365 and their message cards.

In comes a notification, out goes one card. Microsoft replaces these connectors
by workflows: those are `msteamsv2`.
"""
