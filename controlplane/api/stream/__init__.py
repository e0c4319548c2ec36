"""What happens, as it happens: server-sent events.

In come the bus' events; out they go to each open connection, numbered, so that
a reader who was away goes on where it was. It must not know who reads.
"""
