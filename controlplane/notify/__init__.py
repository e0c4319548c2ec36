"""From a group of alerts that is due to a message that somebody has received.

In come flushes; out go requests to Slack, PagerDuty and webhooks, each by way
of the outbox, so that nothing accepted is lost and whoever was told "firing"
is told "resolved". Ports: `Outbox` (the notification log, the queue and the
open incidents, in one transaction) and `Sender`s, one an integration. Knows
nothing of routes, rules or SQL.
"""
