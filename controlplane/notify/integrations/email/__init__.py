"""Mail over SMTP, with STARTTLS or TLS from the start (RFC 5321, 3207, 4954).

In comes a notification, out goes one message to all its addresses. A message
is taken when the server says so after its last byte; when nobody knows whether
it did, it is sent again with the same Message-Id.
"""
