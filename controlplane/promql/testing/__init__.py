"""The runner of PromQL conformance scripts (upstream's promqltest format).

In come scripts of `load`, `clear` and `eval` commands; out goes, for each
`eval`, whether the engine answered as written. Uses an in-memory store and an
engine with everything experimental on. Knows nothing of rules.
"""
