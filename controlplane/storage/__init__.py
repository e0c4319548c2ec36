"""The SQL database, SQLite or PostgreSQL: the only package that knows SQLAlchemy.

In come the values of the domain, out come the same values; rows never leave.
Implements the repository ports of targets, rules, alerts and notify, each in a
file named for it, and knows nothing of who calls. `migrations/README.md` says
how to add one.
"""
