"""VictorOps, today Splunk On-Call, by its generic REST endpoint.

In comes a notification, out goes one event of the incident's entity: an alert,
or its recovery.
"""
