"""Aggregations: `sum by (job) (...)` and its kin.

In comes a block of values; out goes one with a row a group (`reducing`), or
with some of the rows that came in (`choosing`). Which row belongs to which
group is computed once for a set of series (`grouping`). Knows nothing of where
the values came from.
"""
