"""Who may ask for what.

In come plain values of a request: method, path, headers, the client's address.
Out comes a `Principal`, or Unauthorized or Forbidden. Needs nothing but the
token; it must not know HTTP frameworks, paths of the API or the database.
"""
