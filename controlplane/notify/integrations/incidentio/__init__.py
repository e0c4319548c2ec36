"""incident.io, by an alert source of the kind "Alertmanager".

In comes a notification, out goes the group as JSON; incident.io makes alerts of
it and knows by the group's key what belongs together.
"""
