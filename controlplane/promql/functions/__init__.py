"""PromQL's functions: what they take (`signatures`), how they compute (`table`).

In come blocks of values or windows of samples; out go arrays or blocks. Each
family is one file of functions over arrays; `table` is the one place that
names them. Nothing here knows of selectors, plans or stores.
"""
