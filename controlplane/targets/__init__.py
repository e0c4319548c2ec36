"""The registry of what is watched: registered by API, owned by a file, with leases.

In come specs from the API and the configuration, renewals and what operators
set; out go `TargetChange`s to whoever probes or scrapes, and the series of
leases. Needs a `TargetRepository` (every change is durable before it is
answered) and knows neither SQL nor HTTP nor how a target is probed.
"""
