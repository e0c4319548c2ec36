"""`/api/v1`: our own API, which must not break later."""
