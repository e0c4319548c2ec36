"""The whole product on sample services, with stand-ins for Slack and PagerDuty.

In comes how long to run; out go lines for a person and whether each story was
seen from its first pending alert to its last resolved message. It builds the
real service through `app` and talks to it over HTTP as any customer would.
"""
