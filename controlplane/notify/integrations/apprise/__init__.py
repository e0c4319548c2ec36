"""Any of the services that the library Apprise speaks to, by its URL.

In comes a notification, out goes what Apprise makes of a title and a text, in a
thread of its own. The library says only whether all went well: what did not is
tried again, and may have arrived.
"""
