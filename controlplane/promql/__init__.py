"""PromQL: text to syntax tree to plan to columns of numbers.

In come an expression and instants; out go vectors, matrices, scalars or
strings with warnings. Needs a `tsdb.ports.Queryable`. Knows nothing of rules,
HTTP or where samples come from.
"""
