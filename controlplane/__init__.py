"""An observability and alerting control plane in one program.

In come addresses that services register and the configuration files of
Prometheus, Alertmanager and blackbox_exporter; out go samples, alerts and the
notifications that wake people up. Read the packages in the order of one
sample's way: targets, probes, scrape, tsdb, promql, rules, alerts, routing,
notify. `app/build.py` is where they meet.
"""

__version__ = "0.1.0"
