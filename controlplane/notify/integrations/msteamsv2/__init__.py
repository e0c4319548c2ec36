"""Microsoft Teams, by the workflows of Power Platform and their adaptive cards.

In comes a notification, out goes one card.
"""
