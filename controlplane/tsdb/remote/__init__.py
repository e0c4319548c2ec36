"""An existing metrics engine beside our own store: what is sent to it, what is asked of it.

In come the store's log, read from disk behind the writer, and expressions; out
go remote write requests and the values that the engine's query API answers.
Needs an HTTP client and, for metadata, `ports.Families`. Must not know rules,
nor who reads the values.
"""
