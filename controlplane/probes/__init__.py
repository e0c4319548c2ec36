"""Probes: on each tick of a target's interval its module's prober asks it.

In come targets and modules; out go samples (one Write a probe, through the
store's Appender) with blackbox_exporter's names, and the evidence of failures.
Needs the transport's client and resolver, and the ports in `ports.py`. Must
not know who registered a target or which rules read its samples.
"""
