"""The alerts that are active now.

In come alerts from rules and clients; they are merged by fingerprint, made
durable, and handed to subscribers. Port: `AlertRepository`. Knows nothing of
rules, routes or receivers.
"""
