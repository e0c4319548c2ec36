"""Scraping: `/metrics` of targets, in Prometheus' and OpenMetrics' text formats.

In come scrape configurations, targets with a `metrics_url` and the bodies that
they serve; out goes one write per scrape: samples, staleness markers and the
report (`up` and its like). Needs a way to fetch and an appender. Must not know
where targets come from, nor who reads the samples.
"""
