"""Several replicas at one service: the only package that knows Redis.

In comes what this replica is called and does; out goes who else is alive, and
the shards of work that are this one's. Redis says who lives; who owns what is
in the database, behind the port `ShareStore`. It must not know what the work
is, nor how the database keeps it.
"""
