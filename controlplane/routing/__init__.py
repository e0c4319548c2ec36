"""From alerts to groups of alerts that are due.

In come alerts and a route tree; out go flushes: one aggregation group, at one
moment, for one receiver. Ports: `AlertSource` (where alerts come from) and
`Stage` (what a flush is given to). Knows nothing of what a receiver is or how
it is reached.
"""
