"""Opsgenie, by its alert API, version 2.

In comes a notification, out goes an alert whose alias is the incident's key, or
the request to close it. What Opsgenie is asked for is done later: a 2xx says
that it was taken.
"""
