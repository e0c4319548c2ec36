"""Dashboards as code: what a person on call looks at in Grafana.

Nothing comes in; out go dashboards as Grafana reads them, each with its folder.
A module is a dashboard; `panels` and `frame` are what they are built of, and
`catalogue` lists them. Knows names of metrics, and nothing of the service.
"""
