"""Our own logs, metrics and traces.

In come events with fields; out go JSON lines with the correlation id of the
request, tick or evaluation that caused them, counters on `/metrics`, and spans
where an OTLP endpoint is set. Secrets are struck out by key. Knows nothing of
what it observes.
"""
