"""Who is not to be told, and why: silences, inhibition, hours, dependencies, our own network.

In come the labels of an alert and the moment its group is due; out go the
ids of what mutes it, none meaning that it is told. Ports: `SilenceRepository`,
`FiringAlerts`, `LastOutcome` and `AskCanary`; for what a silence would have
hidden, `Past`. Knows nothing of rules, routes or receivers.
"""
