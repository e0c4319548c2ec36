"""Alertmanager's API v2 under `/alertmanager`: what amtool, Prometheus and Grafana speak.

In come alerts and silences as clients of Alertmanager send them; out goes what
routing and muting make of them, in the same words: shapes, codes and errors
are those of Alertmanager 0.34. Needs the surface; knows nothing of storage.
"""
