"""Any HTTP server that takes Alertmanager's webhook payload, version 4.

In comes a notification, out goes one POST. `payload` replaces the body by a
template of the user's own.
"""
