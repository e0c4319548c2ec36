"""Samples that others push: Prometheus' remote write and OTLP metrics over HTTP.

In come the bodies of requests, already read and bounded; out go Writes, and a
tally of what was taken in and what was not, and why. Needs a store that can
tell when what was handed to it is kept (`ports.py`). Knows nothing of HTTP.
"""
