"""Prometheus rules: loaded, evaluated by the clock or as soon as samples arrive.

In come rule files and commits of the sample store; out go recorded series,
`ALERTS`, and alerts. Needs `ports.Query`, `ports.Store`, `ports.AlertSink` and
`ports.RuleStateStore`. Must not know routes, receivers, SQL or HTTP.
"""
