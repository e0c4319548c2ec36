"""Dashboards in a Grafana that does not mount our files.

In come dashboards as JSON and a Grafana's address; what differs there is made,
changed and removed, and nothing that is not ours is touched. Needs a `Grafana`
to ask. Must not know how dashboards are built, nor what they show.
"""
