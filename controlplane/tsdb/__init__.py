"""The sample store: columns in memory, a write-ahead log on disk.

In come writes (one probe or scrape each: series numbers and values); out go
snapshots that answer for instants and windows in whole columns. Needs a data
directory. Knows nothing of PromQL: it selects series and hands out arrays.
"""
