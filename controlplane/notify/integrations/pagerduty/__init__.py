"""PagerDuty, by its Events API version 2.

In comes a notification, out goes one trigger or resolve event with the dedup
key of its incident.
"""
