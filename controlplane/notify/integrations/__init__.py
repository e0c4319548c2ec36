"""The services that can be told: a folder each, and one line each in the table.

In comes a receiver's options; out come its integrations. A folder has
`options.py` (the keys), `client.py` (the protocol and its failures) and
`render.py` (the message). None knows of the outbox, of retries or of another
integration. The keys are read by the file of the same name in `config`.
"""
