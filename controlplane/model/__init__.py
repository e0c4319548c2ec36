"""The values that everything speaks of: labels, matchers, durations, targets, alerts.

In come plain strings and numbers; out go frozen values. Nothing here does
I/O, reads a clock or knows a framework, and every other package may import it.
"""
